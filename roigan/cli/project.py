"""`roigan project`: a model's own image that is nearest to a picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from roigan.cli.arguments import MODEL, command, new_png
from roigan.cli.load import load_model


def add(commands: Any) -> None:
    """The command's grammar."""
    add = command(commands, "project", run, "find a model's own image nearest to a picture").add_argument
    add("--model", required=True, help=MODEL)
    add("--image", required=True, type=Path, help="a picture of any size; its largest square counts")
    add("--out", required=True, type=Path, help="a .png file, in the model's resolution")


def run(arguments: argparse.Namespace) -> None:
    """Write the projection of a picture and say how far it is from it."""
    out = new_png(arguments.out)
    from roigan.config import ProjectParams
    from roigan.image_io.lossless import read_picture
    from roigan.images.arrays import to_uint8
    from roigan.images.grids import save_png
    from roigan.inference.projection import project_picture

    found = project_picture(load_model(arguments.model), read_picture(arguments.image), ProjectParams())
    save_png(out, to_uint8(found.images)[0])
    print(f"{out}: mean squared difference {found.loss.item():.4f}, pixels in [-1, 1]")
