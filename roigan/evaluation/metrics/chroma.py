"""Chroma score: how restless the colours inside a completed region are (ours).

Networks that tell shapes apart hardly look at colour, so neither FID nor a perceptual loss through them minds
the coloured specks that every eye sees. The mean change of chroma between neighbouring pixels of the region,
divided by that of the real images at the same places. 1 is what real images have; above 1 there are specks,
below 1 the colours are flatter than reality.
"""

from __future__ import annotations

import torch
from torch import Tensor

from roigan.images.colours import chroma


def variation(y: Tensor, M: Tensor) -> Tensor:
    """Sum of |difference| of the chroma of all horizontal and vertical neighbours that both lie in M.

    y [B, C, H, W], M [B, 1, H, W] in {0, 1} -> scalar, float64; 0 for grey images. The quotient of two such
    sums, over a whole test set, is the score.
    """
    return change_within(chroma(y), M)


def change_within(values: Tensor, M: Tensor) -> Tensor:
    """Sum of |difference| of all neighbours that both lie in M; values [B, C, H, W] -> scalar, float64."""
    total = torch.zeros((), dtype=torch.float64, device=values.device)
    for dim in (2, 3):
        last = M.shape[dim] - 1
        both = M.narrow(dim, 0, last) * M.narrow(dim, 1, last)
        total += (values.diff(dim=dim).abs() * both).sum(dtype=torch.float64)
    return total
