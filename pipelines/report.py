"""Stage `report`: the registered model's figures and numbers as one HTML page."""

from roigan.config import load_params
from roigan.errors import exit_on_user_error
from roigan.files import paths
from roigan.images.arrays import load_split, load_statistics
from roigan.images.grids import save_png
from roigan.report import figures, page
from roigan.report.page import read_json, read_table, shown
from roigan.report.sections import draw
from roigan.systems.model import Model
from roigan.tracking import registry


def main() -> None:
    params = load_params()
    version = registry.registered(params, paths.MODEL)  # finds the version of these weights, or makes it anew
    model = Model.load(registry.download(version))
    splits = [load_split(paths.PREPARED, split) for split in ("train", "test")]
    drawn = draw(params, model, *splits)
    for pictures in drawn.values():
        for picture in pictures:
            save_png(paths.REPORTS / "figures" / f"{picture.file}.png", picture.pixels)

    history, statistics = read_table(paths.HISTORY), load_statistics(paths.PREPARED)
    independence = read_table(paths.INDEPENDENCE).set_index("set")
    samples = page.first_middle_last(paths.SAMPLES)
    losses = figures.losses(history, page.chance_level(params))
    sections = {
        name: [shown(picture.title, picture.pixels, picture.caption) for picture in pictures]
        for name, pictures in drawn.items()
    } | {
        "independence": [shown("", figures.matrix(independence))] if len(independence) else [],
        "samples": [shown(f"step {int(path.stem)}", path) for path in samples],
        "losses": [shown("", losses, "Horizontal axis: steps.")],
        "data": [
            shown("Training images", paths.PREPARED / "contact_sheet.png"),
            shown("Mask families", paths.MASKS / "masks.png", "White is generated."),
        ],
    }
    features, judge = (read_json(folder / "config.json") for folder in (paths.FEATURES, paths.JUDGE))
    way = page.way_of_the_data(params, statistics, features, judge, version)
    table, promotion = read_table(paths.EVALUATION), read_json(paths.REPORTS / "promotion.json")
    control = read_table(paths.CONTROL)
    text = page.render(params, table, control, history, promotion, way, sections)
    (paths.REPORTS / "report.html").write_text(text, encoding="utf-8")
    print(f"report: {paths.REPORTS / 'report.html'}")


if __name__ == "__main__":
    exit_on_user_error(main)
