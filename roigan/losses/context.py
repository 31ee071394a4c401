"""How well an image fits what is known of another: the context losses of latent search.

R. Yeh et al., Semantic Image Inpainting with Deep Generative Models, CVPR 2017: importance weights (36) and
pixels (37). P. Vitoria, J. Sintes, C. Ballester, Semantic Image Inpainting Through Improved Wasserstein
Generative Adversarial Networks, 2019: gradients.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

NORMS: dict[str, Callable[[Tensor], Tensor]] = {"l1": torch.abs, "l2": torch.square}


def importance(M: Tensor, window: int) -> Tensor:
    """W (36): of a known pixel the share of unknown ones in the window around it, 0 of an unknown one.

    M: [B, 1, H, W], 1 = unknown; returns like M, in [0, 1). What lies outside the image is no neighbour.
    """
    return (1 - M) * F.avg_pool2d(M, window, stride=1, padding=window // 2, count_include_pad=False)


def pixels(G: Tensor, x: Tensor, W: Tensor, norm: str) -> Tensor:
    """(37): the sum of W |G - x| over pixels and channels, [B]; G, x: [B, C, H, W], W: [B, 1, H, W]."""
    return (W * NORMS[norm](G - x)).flatten(1).sum(1)


def gradients(G: Tensor, x: Tensor, W: Tensor, norm: str) -> Tensor:
    """The sum of min(W_i, W_j) |(G - x)_i - (G - x)_j| over neighbours i, j, [B]; shapes as in `pixels`.

    W is 0 where x is unknown: a pair counts only if both are known, or the truth would leak in.
    """
    difference, total = G - x, torch.zeros(len(G), device=G.device)
    for axis in (-2, -1):
        n = G.shape[axis] - 1
        weight = torch.minimum(W.narrow(axis, 1, n), W.narrow(axis, 0, n))
        total = total + (weight * NORMS[norm](difference.diff(dim=axis))).flatten(1).sum(1)
    return total
