"""What one stroke of colour does to a region, beside what luck does.

    python -m benchmarks.region_brushes --model releases/cats64

puts an ellipse over the nose of the editor's cat, asks for a dark and for a light line in it, from 8 seeds,
and prints for every weight of smoothness: how far the line is from the colour that was asked for (root of the
mean square, in levels of 255), how far the rest of the region has moved (mean, in levels), and seconds. The
rival is the best of as many fillings drawn at random as the search looks at.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from roigan.apps.editor.app import PAGE
from roigan.config import PaintParams
from roigan.image_io.lossless import open_picture
from roigan.inference.brushes import Constraint, within
from roigan.inference.inpaint import latent
from roigan.inference.lines import Line, asked
from roigan.inference.manipulation import Canvas, candidates, paint, region
from roigan.inference.windows import cut, window
from roigan.systems.model import Model

COLOURS = {"dark": (40, 20, 20), "light": (240, 220, 200)}
SEEDS, CANDIDATES, CONTEXT = 8, 4, 3.0
WEIGHTS = (0.0, 1.0, 5.0, 10.0)


def main() -> None:
    """Measure and print a row for every weight."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="releases/cats64")
    given = parser.parse_args()
    model = Model.load(given.model)
    picture = open_picture((PAGE / "cat.jpg").read_bytes())
    y, x = np.mgrid[:300, :451]
    nose = ((x - 222) / 70) ** 2 + ((y - 165) / 55) ** 2 < 1
    where = window(picture, nose, model.image_size, CONTEXT)
    seen, M = (tensor[None] for tensor in cut(picture, nose, where, model.image_size, model.channels))
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(SEEDS):
        canvas, z0 = region(model, seen, M, latent(model, seed))
        with torch.no_grad():
            before = canvas.G(z0)
        for colour in COLOURS.values():
            line = Line("colour", [(205, 180), (240, 180)], 14, colour)
            (stroke,) = within(asked([line], where, before[0], PaintParams()), M[0])

            made = {"before": (before, 0.0)}
            for lam_s in WEIGHTS:
                params = PaintParams(lam_s=lam_s, candidates=CANDIDATES)
                made[f"lam_s {lam_s:g}"] = timed(partial(_painted, canvas, stroke, z0, params, seed))
            count = CANDIDATES * PaintParams().steps
            made[f"the best of {count} at random"] = timed(partial(_drawn, model, seen, M, count, seed))
            for name, (images, seconds) in made.items():
                gaps = _gap(images, stroke)
                moved = _moved(images[gaps.argmin()], before[0], stroke, M[0])
                rows.setdefault(name, []).append((float(gaps.min()), moved, seconds))
    print("| | from the colour | the rest moves | s |\n|---|---|---|---|")
    for name, found in rows.items():
        gap, moved, seconds = np.mean(found, 0)
        error = np.std([row[0] for row in found], ddof=1) / len(found) ** 0.5
        print(f"| {name} | {gap:.0f} ± {error:.0f} | {moved:.0f} | {seconds:.1f} |")


def timed(work: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """What it returns, and seconds."""
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def _painted(canvas: Canvas, stroke: Constraint, z0: Tensor, params: PaintParams, seed: int) -> Tensor:
    """The candidate that costs least: [1, C, S, S]."""
    begin = candidates(z0, params, torch.Generator().manual_seed(seed))
    found = paint(canvas, [stroke], begin, params, z0)
    return found.images[found.loss.argmin()][None]


def _drawn(model: Model, x: Tensor, M: Tensor, count: int, seed: int) -> Tensor:
    """Fillings by other seeds, with their own sliders and codes."""
    parts = [latent(model, 1000 * (seed + 1) + n) for n in range(count)]
    fillings = [model.complete(x, M, z) for z in parts]
    return torch.cat(fillings)


def _gap(images: Tensor, stroke: Constraint) -> Tensor:
    """[B], in levels."""
    squares = (stroke.B * (images - stroke.v).square()).flatten(1).sum(1)
    return 127.5 * (squares / (stroke.B.sum() * len(stroke.v))).sqrt()


def _moved(image: Tensor, before: Tensor, stroke: Constraint, M: Tensor) -> float:
    """Of the region, less the line, in levels."""
    rest = M * (1 - stroke.B)
    return 127.5 * float((rest * (image - before).abs()).sum() / (rest.sum() * len(image)))


if __name__ == "__main__":
    main()
