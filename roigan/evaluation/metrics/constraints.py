"""Constraint satisfaction: how well a generated image honours its known pixels (Ruffino et al. 2019, section
4).

Both take the whole generated image, on the scale [-1, 1] of the paper; a completed image, whose known pixels
are the given ones, has 0 and 1. NaN where nothing is known.
"""

from __future__ import annotations

from torch import Tensor

EPSILON = 0.1  # a squared error below it counts as satisfied


def mse(G: Tensor, x: Tensor, M: Tensor) -> Tensor:
    """Mean squared error over the known pixels: [B]; G, x: [B, C, H, W]; M: [B, 1, H, W]."""
    return _mean_over_known(_squared_error(G, x), M)


def met(G: Tensor, x: Tensor) -> Tensor:
    """Where the squared error, averaged over channels, is below 0.1: bool [B, 1, H, W]."""
    return _squared_error(G, x) < EPSILON


def satisfied(G: Tensor, x: Tensor, M: Tensor) -> Tensor:
    """Share of the known pixels where `met` holds: [B]."""
    return _mean_over_known(met(G, x).float(), M)


def _squared_error(G: Tensor, x: Tensor) -> Tensor:
    return (G - x).square().mean(1, keepdim=True)  # [B, 1, H, W]


def _mean_over_known(values: Tensor, M: Tensor) -> Tensor:
    known = 1 - M
    return (values * known).sum((1, 2, 3)) / known.sum((1, 2, 3))
