"""The command `roigan`: complete, generate, score pictures; list, compare, promote, export models; presets.

What is heavy (torch, MLflow) is imported by the command that needs it, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from roigan.errors import UserError, exit_on_user_error
from roigan.files.atomic import make_parent, writing

if TYPE_CHECKING:
    from roigan.systems.model import Model

BATCH, PIXELS = 32, 2**24  # pictures completed at once, and pixels of theirs, where these are reached earlier
SEEDS = 2**63  # torch takes seeds below this
MODEL = "models:/NAME@ALIAS, models:/NAME/VERSION, or a model folder"


def main() -> None:
    """Entry point: `roigan complete`, `roigan models [ACTION]`, ...; exit code 2 for bad input."""

    def run() -> None:
        arguments = parser().parse_args()
        arguments.command(arguments)

    exit_on_user_error(run)


class Parser(argparse.ArgumentParser):
    """Complains in one line, and takes "-1,0.5" for numbers, not for an option."""

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        """`--c -1,0.5` is read as `--c=-1,0.5`: a word that begins with a minus and a digit is no option."""
        words: list[str] = []
        for word in sys.argv[1:] if args is None else args:
            if words and re.fullmatch(r"--\w+", words[-1]) and re.match(r"-[\d.]", word):
                words[-1] += f"={word}"
            else:
                words.append(word)
        return super().parse_known_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def parser() -> Parser:
    """The command line's grammar."""
    top = Parser(prog="roigan", description="New content inside a region of an image.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    complete = _command(commands, "complete", run_complete, "generate new content where a mask is white")
    add = complete.add_argument
    add("--model", required=True, nargs="+", help=f"{MODEL}; several: with --recipe")
    add("--image", required=True, type=Path, help="a picture of any size and mode, or a folder of pictures")
    where = complete.add_mutually_exclusive_group()
    where.add_argument("--mask", type=Path, help="white (>= 128): generate; a folder: paired by file name")
    where.add_argument("--recipe", type=Path, help="what `roigan edit` saved: regions, seeds, sliders, codes")
    add(
        "--colour",
        action="store_true",
        help="new colours on the picture's own lightness, of all of it or where the mask is white",
    )
    add("--out", required=True, type=Path, help="a .png or .tif file; a folder where --image is one")
    add("--seed", nargs="+", type=_seed, default=[0], metavar="N", help="several: out-N.png each (default 0)")
    add("--same-z", action="store_true", help="one z for all pictures of a folder; else each has its own")
    add(
        "--c",
        type=_numbers(float),
        metavar="C,...",
        help="sliders in [-1, 1], missing ones 0 (default: drawn)",
    )
    add("--k", type=_numbers(int), metavar="K,...", help="codes, missing ones 0 (default: drawn)")
    add(
        "--context",
        type=_context,
        default=2.0,
        help="side of the window that the model sees, in sides of the region (default 2)",
    )
    add(
        "--blend",
        choices=("none", "membrane", "poisson"),
        help="how the filling meets its surroundings (default: as the model does it)",
    )
    add(
        "--search",
        type=Path,
        metavar="FILE",
        help="a YAML file with a block `search` (presets/yeh64.yaml), for models of whole images",
    )

    add = _command(
        commands, "generate", run_generate, "make pictures from nothing but their seeds"
    ).add_argument
    add("--model", required=True, help=MODEL)
    add("--out", required=True, type=Path, help="a folder; it gets SEED.png each")
    add("--seed", nargs="+", type=_seed, default=[0], metavar="N", help="one picture each (default 0)")

    add = _command(commands, "score", run_score, "say how anomalous pictures are").add_argument
    add("--model", required=True, help=MODEL)
    add("--image", required=True, type=Path, help="a picture of any size and mode, or a folder of pictures")
    add("--out", required=True, type=Path, help="a .csv file: file, score, percentile, flag")

    add = _command(
        commands, "project", run_project, "find a model's own image that is nearest to a picture"
    ).add_argument
    add("--model", required=True, help=MODEL)
    add("--image", required=True, type=Path, help="a picture of any size; its largest square counts")
    add("--out", required=True, type=Path, help="a .png file, in the model's resolution")

    add = _command(
        commands, "paint", run_paint, "change a picture by strokes that a model follows"
    ).add_argument
    add("--model", required=True, help=MODEL)
    add("--image", type=Path, help="a picture of any size; without one, the model makes one from nothing")
    add("--mask", type=Path, help="white (>= 128): the region of a model that completes")
    add("--colour", type=Path, action="append", default=[], help="colours, clear where nothing is asked")
    add("--sketch", type=Path, action="append", default=[], help="white lines on black")
    add(
        "--warp",
        type=_numbers(int),
        action="append",
        default=[],
        metavar="X,Y,DX,DY,SIDE",
        help="the square around x, y is moved by dx, dy; pixels of the picture",
    )
    add("--candidates", type=_seed, default=1, help="searches side by side, the best counts (default 1)")
    add("--seed", type=_seed, default=0, metavar="N")
    add("--out", required=True, type=Path, help="a .png or .tif file; without --image, .png")

    add = _command(commands, "edit", run_edit, "draw regions and move sliders in the browser").add_argument
    add("--model", required=True, nargs="+", help=f"{MODEL}; several: the page has all of them")
    add(
        "--host",
        default="127.0.0.1",
        help="another address is open to others, with a token (default 127.0.0.1)",
    )
    add("--port", type=_port, default=8421, help="0: a free one (default 8421)")

    params = _command(commands, "params", run_params, "write the values of a preset into params.yaml")
    params.add_argument(
        "preset", type=Path, help="a YAML file with some of its keys, like presets/thesis.yaml"
    )

    models = _command(commands, "models", run_models, "list, compare, promote and export registered models")
    actions = models.add_subparsers(metavar="ACTION")
    compare = _command(actions, "compare", run_compare, "two versions side by side")
    compare.add_argument("a", help="NAME/VERSION or NAME@ALIAS")
    compare.add_argument("b", help="NAME/VERSION or NAME@ALIAS")
    promote = _command(actions, "promote", run_promote, "make a version the champion")
    promote.add_argument("name")
    promote.add_argument("version", type=int)
    promote.add_argument("--reason", default="by hand", help="is kept with the decision")
    rollback = _command(actions, "rollback", run_rollback, "make the champion before this one champion again")
    rollback.add_argument("name")
    rollback.add_argument("--reason", default="by hand", help="is kept with the decision")
    history = _command(
        actions, "history", run_history, "every promotion, refusal and rollback with its reason"
    )
    history.add_argument("name")
    release = _command(
        actions, "release", run_release, "write a model's weights in half the size into a folder"
    )
    release.add_argument("model", help=MODEL)
    release.add_argument("folder", type=Path)
    export = _command(actions, "export", run_export, "write a model as one file that runs with torch alone")
    export.add_argument("model", help=MODEL)
    export.add_argument("file", type=Path, help="a .pt2 file")
    return top


def _command(
    group: Any, name: str, run: Callable[[argparse.Namespace], None], help: str
) -> argparse.ArgumentParser:
    """The parser of one of a group's commands."""
    found: argparse.ArgumentParser = group.add_parser(name, help=help)
    found.set_defaults(command=run)
    return found


def _numbers(kind: type) -> Callable[[str], list[float]]:
    def parse(text: str) -> list[float]:
        try:
            return [kind(part) for part in text.split(",")]
        except ValueError:
            what = "whole numbers" if kind is int else "numbers"
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of {what} like 3,0,1") from None

    return parse


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= SEEDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2^63 - 1")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, a number from 0 to 65535")
    return int(text)


def _context(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return value


# --- complete ---


def run_complete(arguments: argparse.Namespace) -> None:
    """Complete one picture or a folder of them, once for every seed; UserError at the end where some cannot
    be."""
    from roigan.inference.jobs import Failures, pairs, read_batches

    if arguments.recipe:
        run_recipe(arguments)
        return
    if len(arguments.model) > 1:
        raise UserError("several models are for --recipe; name one")
    seeds = list(dict.fromkeys(arguments.seed))
    if not (arguments.mask or arguments.colour):
        raise UserError("--mask is missing: it says where to generate; only --colour takes whole pictures")
    jobs = pairs(arguments.image, arguments.mask, arguments.out, seeds)

    from tqdm import tqdm

    from roigan.config.reading import search_params
    from roigan.image_io.colour import has_colours
    from roigan.image_io.lossless import save_picture
    from roigan.inference.inpaint import check_seeds, complete_pictures, controls, ready
    from roigan.inference.latent_search import completing

    model = completing(load_model(arguments.model[0]), search_params(arguments.search))
    controls(model, arguments.c, arguments.k)  # complain before anything is read
    check_seeds(model, seeds, arguments.colour)
    noted = False
    failed, adapted = Failures(len(jobs)), partial(ready, model, arguments.colour)
    with tqdm(total=len(jobs) * len(seeds), unit="picture", disable=len(jobs) * len(seeds) == 1) as progress:
        for read in read_batches(jobs, BATCH, PIXELS, failed, adapted):
            batch, pictures, masks = zip(*read, strict=True)
            if arguments.colour and not noted and any(map(has_colours, pictures)):
                noted = True
                print("note: only the lightness of pictures is looked at, not their colours", file=sys.stderr)
            make_parent(batch[0].outs[seeds[0]])  # complained of before anything is completed
            for seed in seeds:
                own = seed if arguments.same_z else [job.own_seed(seed) for job in batch]
                completed = complete_pictures(
                    model, pictures, masks, own, arguments.c, arguments.k, arguments.context, arguments.blend
                )
                for job, picture in zip(batch, completed, strict=True):
                    with failed.of(job.image):
                        save_picture(picture, job.outs[seed])
                progress.update(len(batch))
    failed.complain()


def run_recipe(arguments: argparse.Namespace) -> None:
    """Do to one picture or a folder of them what was done in the editor; UserError at the end where some
    cannot be."""
    from roigan.apps.recipe import read_recipe, replay
    from roigan.inference.jobs import Failures, pairs

    own = [arguments.c, arguments.k] == [None, None] and (arguments.seed, arguments.context) == ([0], 2.0)
    if not own or arguments.same_z:
        raise UserError("a recipe has its own seeds, sliders, codes and contexts; leave out those options")
    recipe = read_recipe(arguments.recipe)
    jobs = pairs(arguments.image, arguments.recipe, arguments.out)
    models = {model.sha256: model for model in map(load_model, arguments.model)}
    failed = Failures(len(jobs))
    replay(recipe, models, jobs, failed)
    failed.complain()


def run_edit(arguments: argparse.Namespace) -> None:
    """Serve the editor until Ctrl-C."""
    from roigan.apps.editor.serve import serve

    models: dict[str, Model] = {}
    for reference in arguments.model:
        name = _short_name(reference)
        alike = sum(other.split(" (")[0] == name for other in models)
        models[f"{name} ({alike + 1})" if alike else name] = load_model(reference)
    serve(models, arguments.host, arguments.port)


def _short_name(reference: str) -> str:
    """How the page calls a model: a folder by its last name, since no path of the machine is shown."""
    return reference if reference.startswith("models:/") else Path(reference).resolve().name


def run_generate(arguments: argparse.Namespace) -> None:
    """Write a picture for every seed into a folder; UserError where one is there already."""
    seeds = list(dict.fromkeys(arguments.seed))
    files = [arguments.out / f"{seed}.png" for seed in seeds]
    if there := [file for file in files if file.exists()]:
        raise UserError(f"{there[0]} exists already; name another folder")
    from roigan.images.arrays import to_uint8
    from roigan.images.grids import png
    from roigan.inference.generate import generate_images

    images = to_uint8(generate_images(load_model(arguments.model), seeds))
    for image, file in zip(images, files, strict=True):
        with writing(file) as unfinished:
            unfinished.write_bytes(png(image))
    print(f"{arguments.out}: {len(files)} pictures of {images.shape[2]}x{images.shape[1]} pixels")


def run_score(arguments: argparse.Namespace) -> None:
    """Write a table of scores, higher = more anomalous; UserError at the end where some pictures cannot be
    read."""
    if arguments.out.suffix != ".csv":
        raise UserError(f"--out {arguments.out}: scores are written to a .csv file")
    from roigan.inference.jobs import Failures
    from roigan.inference.score import pictures_in, score_files

    files = pictures_in(arguments.image)
    model, failed = load_model(arguments.model), Failures(len(files), "scored")
    found = list(score_files(model, files, failed))
    with writing(arguments.out) as unfinished, unfinished.open("w", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["file", "score", "percentile", "flag"])
        for file, (score, percentile, flag) in found:
            writer.writerow([file.name, f"{score:.6g}", f"{percentile:.1f}", int(flag)])
    flagged = sum(score.flag for _, score in found)
    print(f"{arguments.out}: {flagged} of {len(found)} pictures lie above what 95 % of normal images reach")
    failed.complain()


def run_project(arguments: argparse.Namespace) -> None:
    """Write the projection of a picture and say how far it is from it."""
    out = new_png(arguments.out)
    from roigan.config import ProjectParams
    from roigan.image_io.lossless import read_picture
    from roigan.images.arrays import to_uint8
    from roigan.images.grids import png
    from roigan.inference.projection import project_picture

    found = project_picture(load_model(arguments.model), read_picture(arguments.image), ProjectParams())
    with writing(out) as unfinished:
        unfinished.write_bytes(png(to_uint8(found.images)[0]))
    print(f"{out}: mean squared difference {found.loss.item():.4f}, pixels in [-1, 1]")


def run_paint(arguments: argparse.Namespace) -> None:
    """Paint on a picture, inside a region of it, or on nothing."""
    from roigan.inference.strokes import Strokes, warps

    strokes = Strokes(arguments.colour, arguments.sketch, warps(arguments.warp))
    out = new_picture(arguments.out) if arguments.image else new_png(arguments.out)
    import torch

    from roigan.config import PaintParams
    from roigan.image_io.lossless import fit_format, read_mask, read_picture, save_picture
    from roigan.images.arrays import to_uint8
    from roigan.images.grids import png
    from roigan.inference.paint import paint_nothing, paint_picture, paint_region

    model, generator = load_model(arguments.model), torch.Generator().manual_seed(arguments.seed)
    params = PaintParams(candidates=max(1, arguments.candidates))
    if not arguments.image:
        with writing(out) as unfinished:
            unfinished.write_bytes(png(to_uint8(paint_nothing(model, strokes, params, generator))[0]))
        return
    picture = fit_format(read_picture(arguments.image), out)
    if arguments.mask:
        painted = paint_region(model, picture, read_mask(arguments.mask), strokes, params, generator)
    else:
        painted = paint_picture(model, picture, strokes, params, generator)
    save_picture(painted, out)


def new_picture(out: Path) -> Path:
    """UserError where it is no name of a PNG or TIFF file, or of one that is there."""
    if out.suffix.lower() not in (".png", ".tif", ".tiff"):
        raise UserError(f"{out}: only .png and .tif are written, which alter no pixel")
    return _new(out)


def new_png(out: Path) -> Path:
    """UserError where it is no name of a PNG file, or of one that is there."""
    if out.suffix.lower() != ".png":
        raise UserError(f"{out}: only .png is written")
    return _new(out)


def _new(out: Path) -> Path:
    if out.exists():
        raise UserError(f"{out} exists already; name another file")
    return out


def load_model(reference: str) -> Model:
    """A model from a folder or the registry, on the GPU where there is one."""
    import torch

    from roigan.systems.model import Model

    if Path(reference).is_dir():
        folder = Path(reference)
    elif reference.startswith("models:/"):
        from roigan.tracking import registry

        folder = registry.download(registry.find_version(reference))
    else:
        raise UserError(
            f"model {reference} is neither a folder nor models:/NAME@ALIAS or models:/NAME/VERSION"
        )
    return Model.load(folder).to("cuda" if torch.cuda.is_available() else "cpu")


# --- params ---


def run_params(arguments: argparse.Namespace) -> None:
    """Write a preset into params.yaml and say what changed."""
    from roigan.config import presets

    changes = presets.apply(arguments.preset)
    print("\n".join(changes) or f"params.yaml agrees with {arguments.preset} already")


# --- models ---


def run_models(arguments: argparse.Namespace) -> None:
    """Print a table of all versions."""
    from roigan.tracking import registry

    table = registry.model_table()
    for column in ("sha256", "data", "params", "commit"):
        table[column] = table[column].str.replace(r"^(\w{8})\w*", r"\1", regex=True)  # leaves "-dirty"
    last = table.pop("features")
    print(table.assign(features=last).to_string(index=False, na_rep="-", float_format="{:.4g}".format))
    if "fid" in table:
        print(
            "metrics: means over the masks; fid and kid compare only under the same features", file=sys.stderr
        )


def run_compare(arguments: argparse.Namespace) -> None:
    """Print two versions side by side, metric by metric and mask by mask."""
    from roigan.tracking import registry

    table = registry.compare(arguments.a, arguments.b)
    if table.empty:
        raise UserError("neither version has been evaluated; `uv run dvc repro` evaluates the newest")
    print(table.to_string(na_rep="-", float_format="{:.4g}".format))
    first, second = table.attrs["features"]
    if first != second:
        note = f"note: fid and kid do not compare: features {first or 'unknown'} and {second or 'unknown'}"
        print(note, file=sys.stderr)


def run_promote(arguments: argparse.Namespace) -> None:
    """Move the alias `champion`."""
    from roigan.tracking import promotion, registry

    version = registry.find_version(f"{arguments.name}/{arguments.version}")
    promotion.promote(version, arguments.reason, promotion.champion(arguments.name))
    print(f"{arguments.name}/{arguments.version} is {registry.CHAMPION} now")


def run_rollback(arguments: argparse.Namespace) -> None:
    """Move the alias `champion` back."""
    from roigan.tracking import promotion, registry

    version = promotion.rollback(arguments.name, arguments.reason)
    print(f"{version.name}/{version.version} is {registry.CHAMPION} again")


def run_history(arguments: argparse.Namespace) -> None:
    """Print every decision about a model's versions."""
    from roigan.tracking import promotion

    lines = [
        f"{time[:19]}  {arguments.name}/{version}  {decision}: {reason}"
        for time, version, decision, reason in promotion.history(arguments.name).itertuples(index=False)
    ]
    print("\n".join(lines) or f"nothing has been decided about {arguments.name}")


def run_release(arguments: argparse.Namespace) -> None:
    """Write weights in bfloat16, and the configuration, into a folder that is not there yet."""
    if arguments.folder.exists():
        raise UserError(f"{arguments.folder} exists already; name a new folder")
    import torch

    from roigan.systems.model import WEIGHTS, Model, save_model

    model = load_model(arguments.model)
    with writing(arguments.folder) as unfinished:
        save_model(unfinished, model.nets, model.config, torch.bfloat16, model.prior)
    size = (arguments.folder / WEIGHTS).stat().st_size / 1e6
    print(f"{arguments.folder}: {size:.1f} MB, weights {Model.load(arguments.folder).sha256[:16]}")


def run_export(arguments: argparse.Namespace) -> None:
    """Write a .pt2 file that is not there yet."""
    if arguments.file.suffix != ".pt2":
        raise UserError(f"{arguments.file}: torch.export writes .pt2 files")
    if arguments.file.exists():
        raise UserError(f"{arguments.file} exists already; name a new file")
    from roigan.inference.export import export

    export(load_model(arguments.model), arguments.file)
    size = arguments.file.stat().st_size / 1e6
    print(f"{arguments.file}: {size:.1f} MB; gives the model's own pixels without this package")


if __name__ == "__main__":
    main()
