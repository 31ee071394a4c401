"""`roigan paint`: a picture changed by strokes that a model follows."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from roigan.cli.arguments import MODEL, command, new_picture, new_png, read_count, read_numbers, read_seed
from roigan.cli.load import load_model


def add(commands: Any) -> None:
    """The command's grammar."""
    add = command(commands, "paint", run, "change a picture by strokes that a model follows").add_argument
    add("--model", required=True, help=MODEL)
    add("--image", type=Path, help="a picture of any size; without one, the model makes one from nothing")
    add("--mask", type=Path, help="white (>= 128): the region of a model that completes")
    add("--colour", type=Path, action="append", default=[], help="colours, clear where nothing is asked")
    add("--sketch", type=Path, action="append", default=[], help="white lines on black")
    add(
        "--warp",
        type=read_numbers(int),
        action="append",
        default=[],
        metavar="X,Y,DX,DY,SIDE",
        help="the square around x, y is moved by dx, dy; pixels of the picture",
    )
    add("--candidates", type=read_count, default=1, help="searches side by side, the best counts (default 1)")
    add("--seed", type=read_seed, default=0, metavar="N")
    add("--out", required=True, type=Path, help="a .png or .tif file; without --image, .png")


def run(arguments: argparse.Namespace) -> None:
    """Paint on a picture, inside a region of it, or on nothing."""
    from roigan.inference.strokes import Strokes, warps

    strokes = Strokes(arguments.colour, arguments.sketch, warps(arguments.warp))
    out = new_picture(arguments.out) if arguments.image else new_png(arguments.out)
    import torch

    from roigan.config import PaintParams
    from roigan.image_io.lossless import fit_format, read_mask, read_picture, save_picture
    from roigan.images.arrays import to_uint8
    from roigan.images.grids import save_png
    from roigan.inference.paint import paint_nothing, paint_picture, paint_region

    model, generator = load_model(arguments.model), torch.Generator().manual_seed(arguments.seed)
    params = PaintParams(candidates=arguments.candidates)
    if not arguments.image:
        save_png(out, to_uint8(paint_nothing(model, strokes, params, generator))[0])
        return
    picture = fit_format(read_picture(arguments.image), out)
    if arguments.mask:
        painted = paint_region(model, picture, read_mask(arguments.mask), strokes, params, generator)
    else:
        painted = paint_picture(model, picture, strokes, params, generator)
    save_picture(painted, out)
