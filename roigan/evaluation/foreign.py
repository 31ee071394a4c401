"""Sets of images that a model has to tell from test images: packed ones, and ones made of the test images.

The first come from other labels or other sources. The second are near (the same images upside down, with
their patches shuffled, blurred, or each spoilt in its own way), at a known distance (with noise), or as far
as can be (uniform noise).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from roigan.images.arrays import load_split, load_statistics, to_float, to_uint8
from roigan.images.spoiling import Maker, blurred, noisy, shuffled, spoilt

OWN = ("train", "val", "test")
NOISE = (0.1, 0.25, 0.5, 1.0)  # standard deviations on the scale [-1, 1]
SPOILT = "spoilt"
"""The set of pseudo-anomalies, every image spoilt in its own way."""
MADE = 1000  # images of a set that is made, at most


def packed(prepared: Path) -> dict[str, np.ndarray]:
    """The sets that the stage `prepare` has written, by name: uint8 [N, S, S, C]."""
    return {
        name: load_split(prepared, name) for name in load_statistics(prepared)["counts"] if name not in OWN
    }


MAKERS: dict[str, Maker] = {
    "upside_down": lambda x, generator: x.flip(-2),
    "shuffled": shuffled,
    "blurred": blurred,
    **{f"noise_{sigma:g}": noisy(sigma) for sigma in NOISE},
    "uniform": lambda x, generator: 2 * torch.rand(x.shape, generator=generator) - 1,
    SPOILT: spoilt,
}


def made(test: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Sets made of up to 1,000 test images that lie evenly among them; uint8 [N, S, S, C]."""
    rows = np.unique(np.linspace(0, len(test) - 1, MADE).astype(int))
    x = to_float(np.asarray(test)[rows])
    return {
        name: to_uint8(make(x, torch.Generator().manual_seed(seed + number)))
        for number, (name, make) in enumerate(MAKERS.items())
    }
