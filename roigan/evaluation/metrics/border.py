"""Border score: how visible the seam of a completed region is (ours; the thesis names artefacts at the
border first among its limitations, without a number).

The mean jump between neighbouring pixels on either side of the mask's edge, divided by the jump of the real
images at the same places. 1 is a seam like the real image's own; above 1 the seam is visible, below 1 the
transition is smoother than reality (fast marching: about 0.65).
"""

from __future__ import annotations

import torch
from torch import Tensor


def jump(y: Tensor, M: Tensor) -> Tensor:
    """Sum of |difference| over all horizontal and vertical neighbours that the edge of M separates.

    y [B, C, H, W], M [B, 1, H, W] in {0, 1} -> scalar, float64. The quotient of two such sums, over a whole
    test set, is the score: no image without contrast at its edge can make it explode.
    """
    total = torch.zeros((), dtype=torch.float64, device=y.device)
    for dim in (2, 3):
        edge = M.diff(dim=dim).abs()
        total += (y.diff(dim=dim).abs() * edge).sum(dtype=torch.float64)
    return total
