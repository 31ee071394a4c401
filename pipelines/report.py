"""Stage `report`: the registered model's figures and numbers as one HTML page."""

from roigan.config import load_params
from roigan.errors import exit_on_user_error
from roigan.evaluation.measure import methods, wholes
from roigan.files import paths
from roigan.images.arrays import load_split, load_statistics
from roigan.images.grids import save_png
from roigan.report import figures
from roigan.report import page as report
from roigan.report.page import read_json, read_table, shown
from roigan.systems.model import Model
from roigan.tracking import registry

THESIS = ("ellipse", "rectangle", "mixture")  # mask families of its figure 4.3
COLUMNS, MORE, SWEPT = 8, 16, 2  # images in figures 4.3, 4.4 and 4.5


def main() -> None:
    params = load_params()
    version = registry.registered(params, paths.MODEL)  # finds the version of these weights, or makes it anew
    model = Model.load(registry.download(version))
    test, seed = load_split(paths.PREPARED, "test"), params.evaluate.seed
    rivals = methods(params, model, load_split(paths.PREPARED, "train"))
    completions = {report.METHODS[name][0]: complete for name, complete in rivals.items()}
    free = {report.METHODS[name][0]: generate for name, generate in wholes(params, model).items()}
    families = [family for family in THESIS if family in params.masks.evaluate] or params.masks.evaluate[:3]

    drawn = {}
    for family in families:
        x, M = figures.pick(test, paths.MASKS / f"{family}.npz", COLUMNS)
        drawn[f"figure_4_3_{family}"] = figures.comparison(completions, x, M, seed, free)
    x, M = figures.pick(test, paths.MASKS / f"{families[0]}.npz", MORE)
    drawn["figure_4_4"] = figures.more(rivals[model.system], x, M, seed)
    swept = range(SWEPT if model.sliders else 0)
    for i in swept:
        at = [(i + 1) * len(x) // (SWEPT + 1)]
        drawn[f"figure_4_5_{i + 1}"] = figures.sliders(model, x[at], M[at], seed)
        drawn[f"codes_{i + 1}"] = figures.codes(model, x[at], M[at], seed)
    files = {name: paths.REPORTS / "figures" / f"{name}.png" for name in drawn}
    for name, picture in drawn.items():
        save_png(files[name], picture)

    history, statistics = read_table(paths.HISTORY), load_statistics(paths.PREPARED)
    independence = read_table(paths.INDEPENDENCE).set_index("set")
    marks = (
        "Green: a known pixel that the generator's own image meets; red: one that it misses." if free else ""
    )
    samples = report.first_middle_last(paths.SAMPLES)
    sections = {
        "completions": [shown(family, files[f"figure_4_3_{family}"], marks) for family in families],
        "more": [shown("", files["figure_4_4"], f"Mask family: {families[0]}.")],
        "sliders": [shown("", files[f"figure_4_5_{i + 1}"], f"Test image {i + 1}.") for i in swept],
        "codes": [shown("", files[f"codes_{i + 1}"], f"Test image {i + 1}.") for i in swept],
        "independence": [shown("", figures.matrix(independence))] if len(independence) else [],
        "samples": [shown(f"step {int(path.stem)}", path) for path in samples],
        "losses": [shown("", figures.losses(history, params.losses.dead), "Horizontal axis: steps.")],
        "data": [
            shown("Training images", paths.PREPARED / "contact_sheet.png"),
            shown("Mask families", paths.MASKS / "masks.png", "White is generated."),
        ],
    }
    way = report.way_of_the_data(params, statistics, read_json(paths.FEATURES / "config.json"), version)
    table, promotion = read_table(paths.EVALUATION), read_json(paths.REPORTS / "promotion.json")
    control = read_table(paths.CONTROL)
    page = report.render(params, table, control, history, promotion, way, sections)
    (paths.REPORTS / "report.html").write_text(page, encoding="utf-8")
    print(f"report: {paths.REPORTS / 'report.html'}")


if __name__ == "__main__":
    exit_on_user_error(main)
