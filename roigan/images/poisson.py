"""Poisson blending: the gradients of a filling, the colours of what surrounds it, solved exactly.

P. Perez, M. Gangnet, A. Blake, Poisson Image Editing, SIGGRAPH 2003; the essay's equations (40) and (41).
y = G + h, where the Laplacian of h is 0 on unknown pixels and h = x - G on known ones beside them. At the
image's border a pixel has fewer neighbours. The equations are symmetric and positive, so conjugate gradients
solve all images of a batch at once.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

EXACT = 1e-7  # of the residual, on the scale of [-1, 1]: far below a grey level


def poisson(x: Tensor, G: Tensor, M: Tensor) -> Tensor:
    """G with the colours of its surroundings and its own gradients; x outside M up to rounding.

    x, G: [B, C, H, W] in [-1, 1]; M: [B, 1, H, W] in {0, 1}; returns like x, in [-1, 1]. Where nothing is
    known G stays. Not differentiable.
    """
    with torch.no_grad():
        known = torch.where(M > 0.5, 0.0, (x - G).double())
        return (G + _harmonic(known, M.double()).to(G.dtype)).clamp(-1, 1)


def _harmonic(known: Tensor, M: Tensor) -> Tensor:
    """`known` outside M and harmonic inside; float64 [B, C, H, W], 0 inside M, and [B, 1, H, W]."""
    neighbours = _around(torch.ones_like(M))  # 2 in a corner, 4 inside

    def laplacian(h: Tensor) -> Tensor:  # h is 0 outside M
        return M * (neighbours * h - _around(h))

    h = torch.zeros_like(known)
    residual = M * _around(known)
    preconditioned = residual / neighbours
    direction = preconditioned
    square = _dot(residual, preconditioned)
    for _ in range(known[0, 0].numel()):  # in exact arithmetic the last one would find it
        if residual.abs().max() < EXACT:
            break
        image = laplacian(direction)
        step = square / _dot(direction, image).clamp_min(1e-300)  # 0 / tiny where an image is done
        h = h + step * direction
        residual = residual - step * image
        preconditioned = residual / neighbours
        before, square = square, _dot(residual, preconditioned)
        direction = preconditioned + square / before.clamp_min(1e-300) * direction
    return known + h


def _around(h: Tensor) -> Tensor:
    """The sum of the neighbours above, below, left and right; [B, C, H, W]."""
    padded = F.pad(h, (1, 1, 1, 1))
    across, down = padded[..., 1:-1, :], padded[..., 1:-1]
    return across[..., 2:] + across[..., :-2] + down[..., 2:, :] + down[..., :-2, :]


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Per image and channel [B, C, 1, 1]."""
    return (a * b).sum((-2, -1), keepdim=True)
