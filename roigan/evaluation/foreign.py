"""Sets of images that a model has to tell from test images: packed ones, and ones made of the test images.

The first come from other labels or other sources. The second are near (the same images upside down, with
their patches shuffled, blurred), at a known distance (with noise), or as far as can be (uniform noise).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from roigan.images.arrays import load_split, load_statistics, to_float, to_uint8

OWN = ("train", "val", "test")
NOISE = (0.1, 0.25, 0.5, 1.0)  # standard deviations on the scale [-1, 1]
MADE = 1000  # images of a set that is made, at most


def packed(prepared: Path) -> dict[str, np.ndarray]:
    """The sets that the stage `prepare` has written, by name: uint8 [N, S, S, C]."""
    return {
        name: load_split(prepared, name) for name in load_statistics(prepared)["counts"] if name not in OWN
    }


def shuffled(x: Tensor, generator: torch.Generator) -> Tensor:
    """A quarter of the side is a patch's; every image has its sixteen in an order of its own."""
    side = x.shape[-1] // 4
    patches = x.unfold(2, side, side).unfold(3, side, side).flatten(2, 3)  # [B, C, 16, s, s]
    order = torch.rand(len(x), patches.shape[2], generator=generator).argsort(1)  # [B, 16]
    moved = patches.gather(2, order[:, None, :, None, None].expand_as(patches))
    rows = moved.unflatten(2, (4, 4)).permute(0, 1, 2, 4, 3, 5)  # [B, C, 4, s, 4, s]
    return rows.flatten(4, 5).flatten(2, 3)


def blurred(x: Tensor, generator: torch.Generator) -> Tensor:
    """Twice a mean over five pixels' side."""
    for _ in range(2):
        x = F.avg_pool2d(x, 5, stride=1, padding=2, count_include_pad=False)
    return x


def noisy(sigma: float) -> Callable[[Tensor, torch.Generator], Tensor]:
    """White noise of a standard deviation is added, and the result clipped."""
    return lambda x, generator: (x + sigma * torch.randn(x.shape, generator=generator)).clamp(-1, 1)


MAKERS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "upside_down": lambda x, generator: x.flip(-2),
    "shuffled": shuffled,
    "blurred": blurred,
    **{f"noise_{sigma:g}": noisy(sigma) for sigma in NOISE},
    "uniform": lambda x, generator: 2 * torch.rand(x.shape, generator=generator) - 1,
}


def made(test: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Sets made of up to 1,000 test images that lie evenly among them; uint8 [N, S, S, C]."""
    rows = np.unique(np.linspace(0, len(test) - 1, MADE).astype(int))
    x = to_float(np.asarray(test)[rows])
    return {
        name: to_uint8(make(x, torch.Generator().manual_seed(seed + number)))
        for number, (name, make) in enumerate(MAKERS.items())
    }
