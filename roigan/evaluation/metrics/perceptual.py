"""Perceptual distance: how far a filling is from the true region in the maps of a feature network.

The mean absolute difference of maps, over channels and the cells of the region, averaged over layers (the
terms of the perceptual loss, Johnson et al. 2016; LPIPS, Zhang et al. 2018, weighs channels by human
judgements that a network of one's own has not). It punishes a filling that does not belong to its image,
which FID hardly minds; a plausible filling other than the true one pays as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def distance(a: Sequence[Tensor], b: Sequence[Tensor], M: Tensor) -> Tensor:
    """a, b: maps [B, C_l, H_l, W_l] of completed and real images; M: [B, 1, H, W]. Returns [B], >= 0.

    NaN where the region is empty.
    """
    layers = []
    for p, q in zip(a, b, strict=True):
        share = F.adaptive_avg_pool2d(M, (p.shape[2], p.shape[3]))  # of each cell that is generated
        difference = (p.float() - q.float()).abs().mean(1, keepdim=True)
        layers.append((difference * share).sum((1, 2, 3)) / share.sum((1, 2, 3)))
    return torch.stack(layers).mean(0)
