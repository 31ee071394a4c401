"""`roigan score`: how anomalous pictures are."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roigan.cli.arguments import MODEL, PICTURES, command
from roigan.cli.load import load_model
from roigan.errors import UserError
from roigan.files.atomic import writing

if TYPE_CHECKING:
    import numpy as np

    from roigan.systems.model import Model


def add(commands: Any) -> None:
    """The command's grammar."""
    add = command(commands, "score", run, "say how anomalous pictures are").add_argument
    add("--model", required=True, help=MODEL)
    add("--image", required=True, type=Path, help=PICTURES)
    add("--out", required=True, type=Path, help="a .csv file: file, score, percentile, flag, p")
    add("--map", type=Path, help="a folder: where each picture is anomalous, NAME.png; a second or so each")


def run(arguments: argparse.Namespace) -> None:
    """Write a table of scores, higher = more anomalous; UserError at the end where some pictures cannot be
    read."""
    if arguments.out.suffix != ".csv":
        raise UserError(f"--out {arguments.out}: scores are written to a .csv file")
    from roigan.inference.jobs import Failures, pictures_in
    from roigan.inference.score import score_files

    files = pictures_in(arguments.image)
    if arguments.map:
        _check_maps(files, arguments.map)
    model, failed = load_model(arguments.model), Failures(len(files), "scored")
    found = []
    for file, (placed, image) in score_files(model, files, failed):
        found.append((file, placed))
        if arguments.map:
            _write_map(model, image, arguments.map / f"{file.stem}.png")
    with writing(arguments.out) as unfinished, unfinished.open("w", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["file", "score", "percentile", "flag", "p"])
        for file, (score, percentile, flag, p) in found:
            writer.writerow([file.name, f"{score:.6g}", f"{percentile:.1f}", int(flag), f"{p:.4g}"])
    flagged = sum(placed.flag for _, placed in found)
    print(f"{arguments.out}: {flagged} of {len(found)} pictures lie above what 95 % of normal images reach")
    failed.complain()


def _check_maps(files: Sequence[Path], folder: Path) -> None:
    """Raises UserError where a map would overwrite a picture or another map."""
    taken = {file.resolve() for file in files}
    for file in files:
        map = folder / f"{file.stem}.png"
        if map.resolve() in taken:
            raise UserError(f"--map would overwrite {map}; name another folder, and no two pictures alike")
        taken.add(map.resolve())


def _write_map(model: Model, image: np.ndarray, file: Path) -> None:
    from roigan.images.grids import save_png
    from roigan.inference.occlusion import drawn, heat, regions

    save_png(file, drawn(image, heat(model, image, regions(model.image_size, seed=0))))
