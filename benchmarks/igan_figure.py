"""A picture of iGAN on test images: where they are projected, and what a stroke does to them.

    python -m benchmarks.igan_figure MODEL PREPARED

Draws docs/images/igan-fashion.png, the first test images, none chosen. Rows: images; P; hybrid; the hybrid
with a stroke (a bar across the middle, white where the image is dark there, black where it is light); what
40 steps at lam_s 5 make of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor

from roigan.config import PaintParams, ProjectParams
from roigan.errors import exit_on_user_error
from roigan.images.arrays import load_split, to_float, to_uint8
from roigan.images.grids import grid, save_png
from roigan.inference.brushes import colour
from roigan.inference.manipulation import paint, placed, whole
from roigan.inference.projection import Projector
from roigan.systems.model import Model

COLUMNS, ENLARGED = 10, 2


def main() -> None:
    torch.set_num_threads(1)
    model = Model.load(sys.argv[1])
    x = to_float(load_split(Path(sys.argv[2]), "test")[:COLUMNS])
    z = torch.zeros(len(x), model.sizes.noise)
    network, hybrid = (
        Projector(model, ProjectParams(method=method))(x, z) for method in ("network", "hybrid")
    )
    canvas, u = whole(model), placed(hybrid.z)
    B = bar(model.image_size)
    strokes, painted = [], []
    for image, start in zip(hybrid.images, u.split(1), strict=True):
        ink = -1.0 if (image * B).sum() > 0 else 1.0
        strokes.append(torch.where(B > 0.5, ink, image))
        stroke = colour(torch.full_like(image, ink), B)
        painted.append(paint(canvas, [stroke], start, PaintParams(), start).images[0])
    rows = torch.cat([x, network.images, hybrid.images, torch.stack(strokes), torch.stack(painted)])
    levels = to_uint8(rows).repeat(ENLARGED, 1).repeat(ENLARGED, 2)
    save_png(Path("docs/images/igan-fashion.png"), grid(levels, COLUMNS))


def bar(size: int) -> Tensor:
    """B [1, S, S]: an eighth of the height, half of the width."""
    B = torch.zeros(1, size, size)
    B[:, size * 7 // 16 : size * 9 // 16, size // 4 : size * 3 // 4] = 1
    return B


if __name__ == "__main__":
    exit_on_user_error(main)
