"""Whether outlines forgive a shift (iGAN, claim 5): how unlike itself an image is once it has been moved.

    python -m benchmarks.outlines NAME PREPARED [--images 200] [--eps 1e-3]

PREPARED: a folder that the stage `prepare` has written. By histograms of oriented gradients, by the gradients
themselves and by pixels: the mean squared difference of a test image from itself moved by 0 to 8 pixels to
the right, over that from another test image; 1 is a stranger. Appends rows to docs/results/igan-outlines.csv,
with standard errors over images.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from roigan.errors import exit_on_user_error
from roigan.images.arrays import load_split, to_float
from roigan.losses.hog import gradient, hog
from roigan.losses.reconstruction import squared

RESULTS = Path("docs/results/igan-outlines.csv")
FAR = 8  # pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--eps", type=float, default=1e-3)
    asked = parser.parse_args()
    x = to_float(np.asarray(load_split(asked.prepared, "test")[: asked.images]))  # [N, C, S, S]
    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "hog": partial(hog, eps=asked.eps),
        "gradients": lambda x: gradient((x.mean(1, keepdim=True) + 1) / 2),
        "pixels": lambda x: x,
    }
    table = pd.DataFrame([row for name, way in ways.items() for row in unlike(name, way, x)])
    table.insert(0, "data", asked.name)
    before = [pd.read_csv(RESULTS)] if RESULTS.is_file() else []
    pd.concat([*before, table]).to_csv(RESULTS, index=False, float_format="%.4g")
    print(table.pivot(index="shift", columns="by", values="unlike").to_string(float_format="{:.2f}".format))


def unlike(name: str, way: Callable[[Tensor], Tensor], x: Tensor) -> list[dict[str, Any]]:
    """Rows of one way of describing images; what a shift moves out of the image takes no part."""
    rows = []
    width = x.shape[-1] - FAR
    still = x[..., FAR:]
    strangers = squared(way(still), way(still.roll(1, 0))).mean()
    for shift in range(FAR + 1):
        moved = x[..., FAR - shift :][..., :width]
        ratio = squared(way(moved), way(still)) / strangers
        error = ratio.std().item() / len(ratio) ** 0.5
        rows.append({"by": name, "shift": shift, "unlike": ratio.mean().item(), "error": error})
    return rows


if __name__ == "__main__":
    exit_on_user_error(main)
