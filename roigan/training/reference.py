"""What a model that scores says of validation images, so that a score can be read without any other image."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from roigan.images.arrays import batches

AT_ONCE = 256  # images scored at a time: bounds memory only
QUANTILES = 201  # steps of half a per cent


@torch.no_grad()
def scores_of(D: nn.Module, images: np.ndarray, device: torch.device) -> Tensor:
    """-D(x) [N] on the CPU, float32, of images uint8 [N, S, S, C]."""
    return torch.cat([-D(x.to(device)).float().cpu() for x in batches(images, AT_ONCE)])


def quantiles(scores: Tensor) -> list[float]:
    """Of validation images, from the smallest score to the largest: 201 numbers, half a per cent apart."""
    values: list[float] = (
        scores.double().quantile(torch.linspace(0, 1, QUANTILES, dtype=torch.float64)).tolist()
    )
    return values
