"""`roigan complete`: new content, or new colours, where a mask is white."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from roigan.cli.arguments import MODEL, PICTURES, command, read_context, read_numbers, read_seed
from roigan.cli.load import load_model
from roigan.errors import UserError
from roigan.files.atomic import make_parent

if TYPE_CHECKING:
    import numpy as np

    from roigan.image_io.reader import Picture
    from roigan.inference.jobs import Failures, Job
    from roigan.systems.model import Model

BATCH, PIXELS = 32, 2**24  # pictures completed at once, and pixels of theirs, where these are reached earlier


def add(commands: Any) -> None:
    """The command's grammar."""
    complete = command(commands, "complete", run, "generate new content where a mask is white")
    add = complete.add_argument
    add("--model", required=True, nargs="+", help=f"{MODEL}; several: with --recipe")
    add("--image", required=True, type=Path, help=PICTURES)
    where = complete.add_mutually_exclusive_group()
    where.add_argument("--mask", type=Path, help="white (>= 128): generate; a folder: paired by file name")
    where.add_argument("--recipe", type=Path, help="what `roigan edit` saved: regions, seeds, sliders, codes")
    add(
        "--colour",
        action="store_true",
        help="new colours on the picture's own lightness, of all of it or where the mask is white",
    )
    add("--hints", type=Path, help="a picture that is clear but where colours are given, for one --image")
    add("--out", required=True, type=Path, help="a .png or .tif file; a folder where --image is one")
    add(
        "--seed",
        nargs="+",
        type=read_seed,
        default=[0],
        metavar="N",
        help="several: out-N.png each (default 0)",
    )
    add("--same-z", action="store_true", help="one z for all pictures of a folder; else each has its own")
    add(
        "--c",
        type=read_numbers(float),
        metavar="C,...",
        help="sliders in [-1, 1], missing ones 0 (default: drawn)",
    )
    add("--k", type=read_numbers(int), metavar="K,...", help="codes, missing ones 0 (default: drawn)")
    add(
        "--context",
        type=read_context,
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


class Task(NamedTuple):
    """Pictures that are completed together."""

    jobs: Sequence[Job]
    pictures: Sequence[Picture]
    masks: Sequence[np.ndarray]
    seed: int


def run(arguments: argparse.Namespace) -> None:
    """Complete one picture or a folder of them, once for every seed; UserError at the end where some cannot
    be."""
    from roigan.inference.jobs import Failures, pairs

    if arguments.recipe:
        run_recipe(arguments)
        return
    if len(arguments.model) > 1:
        raise UserError("several models are for --recipe; name one")
    seeds = list(dict.fromkeys(arguments.seed))
    if not (arguments.mask or arguments.colour):
        raise UserError("--mask is missing: it says where to generate; only --colour takes whole pictures")
    if arguments.hints and arguments.image.is_dir():
        raise UserError("--hints are for one picture, and --image is a folder")
    jobs = pairs(arguments.image, arguments.mask, arguments.out, seeds)

    from tqdm import tqdm

    from roigan.config.reading import search_params
    from roigan.image_io.lossless import save_picture
    from roigan.inference.hints import read_hints
    from roigan.inference.inpaint import check_seeds, controls
    from roigan.inference.latent_search import completing
    from roigan.launch.spreading import spread

    model = completing(load_model(arguments.model[0]), search_params(arguments.search))
    controls(model, arguments.c, arguments.k)  # complain before anything is read
    check_seeds(model, seeds, arguments.colour)
    failed = Failures(len(jobs))
    given = {name: getattr(arguments, name) for name in ("same_z", "c", "k", "context", "blend")}
    given["hints"] = read_hints(arguments.hints) if arguments.hints else None
    with tqdm(total=len(jobs) * len(seeds), unit="picture", disable=len(jobs) * len(seeds) == 1) as progress:
        tasks = _tasks(model, jobs, seeds, arguments.colour, failed)
        for task, completed in spread(model, partial(_complete, **given), tasks):
            for job, picture in zip(task.jobs, completed, strict=True):
                with failed.of(job.image):
                    save_picture(picture, job.outs[task.seed])
            progress.update(len(completed))
    failed.complain()


def _complete(model: Model, task: Task, same_z: bool, **given: Any) -> list[Picture]:
    """given: what else `complete_pictures` takes."""
    from roigan.inference.inpaint import complete_pictures

    seeds = task.seed if same_z else [job.own_seed(task.seed) for job in task.jobs]
    return complete_pictures(model, task.pictures, task.masks, seeds, **given)


def _tasks(model: Model, jobs: list[Job], seeds: list[int], colour: bool, failed: Failures) -> Iterator[Task]:
    """What is to be done, read as it is asked for."""
    from roigan.image_io.colour import has_colours
    from roigan.inference.inpaint import ready
    from roigan.inference.jobs import read_batches

    noted = False
    for read in read_batches(jobs, BATCH, PIXELS, failed, partial(ready, model, colour)):
        batch, pictures, masks = zip(*read, strict=True)
        if colour and not noted and any(map(has_colours, pictures)):
            noted = True
            print("note: only the lightness of pictures is looked at, not their colours", file=sys.stderr)
        make_parent(batch[0].outs[seeds[0]])  # complained of before anything is completed
        for seed in seeds:
            yield Task(batch, pictures, masks, seed)


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
