"""Brushes on a prior: what a stroke brings at which lam_s, which sketches take at which eps, and ms per step.

    python -m benchmarks.brushes MODEL [--images 20]

Strokes on images that the model has made itself, so that nothing depends on a projection: a square in the
middle a quarter darker or lighter; a sketch of the outlines of another image, on a plain one. Prints what
docs/igan.md says. The time is that of one core at work, for candidates side by side.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor

from roigan.config import PaintParams
from roigan.errors import exit_on_user_error
from roigan.inference.brushes import Constraint, colour, outlines
from roigan.inference.manipulation import Canvas, objectives, paint, placed, whole
from roigan.systems.model import Model

DARKER = -0.5  # of [-1, 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--images", type=int, default=20)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    model = Model.load(asked.model)
    canvas = whole(model)
    prior = model.prior or model
    z = placed(prior.latent(asked.images + 1, torch.Generator().manual_seed(0)))
    with torch.no_grad():
        images = canvas.G(z)
    B = middle(prior.image_size)
    for lam_s in (0.0, 0.05, 0.5, 5.0):
        print(f"lam_s {lam_s:g}: " + held(canvas, z[1:], images[1:], B, PaintParams(lam_s=lam_s)))
    for eps in (1e-3, 1e-4, 1e-6):
        print(f"eps {eps:g}: " + taken(canvas, z, images, PaintParams(eps=eps, lam_s=0.0)))
    for count in (1, 4, 16, 64):
        print(f"{count} candidates: {milliseconds(canvas, z[:1], images[0], B, count):.1f} ms a step")


def middle(size: int) -> Tensor:
    """B [1, S, S]: a square of a quarter of the side."""
    B = torch.zeros(1, size, size)
    B[:, size * 3 // 8 : size * 5 // 8, size * 3 // 8 : size * 5 // 8] = 1
    return B


def held(canvas: Canvas, z: Tensor, images: Tensor, B: Tensor, params: PaintParams) -> str:
    """Of strokes of colour: how much of the difference is left, and how far the rest of the image moves."""
    left, rest = [], []
    for z0, image in zip(z.split(1), images, strict=True):
        towards = image + (DARKER if (image * B).sum() > 0 else -DARKER) * B
        found = paint(canvas, [colour(towards, B)], z0, params, z0)
        left.append(found.terms["colour 1"].item() / DARKER**2)
        rest.append(((found.images[0] - image).abs() * (1 - B)).mean().item())
    return f"{mean(left):.2f} of the squared difference left, the rest moves by {mean(rest):.3f}"


def taken(canvas: Canvas, z: Tensor, images: Tensor, params: PaintParams) -> str:
    """Of sketches: the share that brings the outlines nearer by half, from an image that is another one.

    Outlines are compared at one eps, whatever the brush takes.
    """
    fair = PaintParams()
    halved, ratios = 0, []
    for i in range(1, len(z)):
        v = outlines(images[i], params)
        everywhere = torch.ones_like(v[:1])
        found = paint(canvas, [Constraint("sketch", v, everywhere)], z[:1], params)
        goal = outlines(images[i], fair)
        before, after = (
            (outlines(image, fair) - goal).square().mean().item() for image in (images[0], found.images[0])
        )
        ratios.append(after / before)
        halved += after < before / 2
    return f"{halved} of {len(z) - 1} sketches halve the distance; {mean(ratios):.2f} of it is left"


def milliseconds(canvas: Canvas, z0: Tensor, image: Tensor, B: Tensor, count: int) -> float:
    """Of one look at `count` candidates with gradients: a colour and a sketch."""
    params = PaintParams(steps=4)
    v = outlines(image, params)
    strokes = [colour(image, B), Constraint("sketch", v, torch.ones_like(v[:1]))]
    assert objectives(canvas, strokes, z0, params)
    begun = time.process_time()
    paint(canvas, strokes, z0.expand(count, -1), params, z0)
    return 1000 * (time.process_time() - begun) / (params.steps + 1)


def mean(values: list[float]) -> float:
    """Their mean."""
    return sum(values) / len(values)


if __name__ == "__main__":
    exit_on_user_error(main)
