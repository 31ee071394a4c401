"""Diversity: how different several completions of the same image are inside the region.

The mean absolute difference of pairs, on the pixel scale [0, 1] (the pairwise distance of BicycleGAN, Zhu
et al. 2017, in pixels instead of a network's features, so that it needs no network). 0 for a method that
ignores z. Noise is diverse too: read it beside FID.
"""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor

from roigan.evaluation.metrics.pixels import l1


def diversity(samples: Tensor, M: Tensor) -> Tensor:
    """samples [K, B, C, H, W] in [-1, 1], K >= 2 completions of B images; M [B, 1, H, W] -> [B] in [0, 1]."""
    pairs = [l1(samples[i], samples[j], M) for i, j in combinations(range(len(samples)), 2)]
    return torch.stack(pairs).mean(0)
