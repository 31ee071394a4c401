"""`roigan generate`: pictures from nothing but their seeds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from roigan.cli.arguments import MODEL, command, read_seed
from roigan.cli.load import load_model
from roigan.errors import UserError


def add(commands: Any) -> None:
    """The command's grammar."""
    add = command(commands, "generate", run, "make pictures from nothing but their seeds").add_argument
    add("--model", required=True, help=MODEL)
    add("--out", required=True, type=Path, help="a folder; it gets SEED.png each")
    add("--seed", nargs="+", type=read_seed, default=[0], metavar="N", help="one picture each (default 0)")


def run(arguments: argparse.Namespace) -> None:
    """Write a picture for every seed into a folder; UserError where one is there already."""
    seeds = list(dict.fromkeys(arguments.seed))
    files = [arguments.out / f"{seed}.png" for seed in seeds]
    if there := [file for file in files if file.exists()]:
        raise UserError(f"{there[0]} exists already; name another folder")
    from roigan.images.arrays import to_uint8
    from roigan.images.grids import save_png
    from roigan.inference.generate import generate_images

    images = to_uint8(generate_images(load_model(arguments.model), seeds))
    for image, file in zip(images, files, strict=True):
        save_png(file, image)
    print(f"{arguments.out}: {len(files)} pictures of {images.shape[2]}x{images.shape[1]} pixels")
