"""Making a filling meet its surroundings: the surroundings continued smoothly into a region.

Poisson image editing (Perez et al. 2003) keeps the gradients of a filling G and takes its colours from the
edge of the region: y = G + h, where h is harmonic inside M and equals x - G at the edge. Here h comes from
push-pull interpolation (Gortler et al. 1996), smoothed on every scale: batched, differentiable, exact
outside M, and cheap enough to stand inside a generator. It meets the edge as the harmonic function does; deep
inside it is drawn to the mean of the surroundings, not of the edge alone (on faces by 0.04 on the scale of
[-1, 1] in ellipses, by 0.17 in the centred square).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from roigan.images.poisson import poisson

SMOOTHINGS = 4  # Jacobi steps towards a harmonic function on every scale; more are not seen at the border


def continuation(x: Tensor, M: Tensor) -> Tensor:
    """x outside the region, continued smoothly into it.

    Averages of the known pixels at ever coarser scales; from the coarsest on, each scale keeps what it knows,
    takes the rest from the one above and smooths it. Known pixels stay, an image without any becomes grey.
    x: [B, C, S, S], M: [B, 1, S, S]; returns like x.
    """
    K = 1 - M
    pyramid = [(x * K, K)]
    while pyramid[-1][0].shape[-1] > 1:
        colour, weight = (F.avg_pool2d(level, 2) for level in pyramid[-1])
        known = (weight > 0).to(x.dtype)
        pyramid.append((colour / weight.clamp_min(1e-6), known))  # a cell is known by any of its pixels
    filled, _ = pyramid.pop()
    for colour, known in reversed(pyramid):
        coarse = F.interpolate(filled, scale_factor=2.0, mode="bilinear", align_corners=False)
        filled = colour + (1 - known) * coarse
        for _ in range(SMOOTHINGS):
            filled = colour + (1 - known) * _neighbours(filled)
    return filled


def _neighbours(x: Tensor) -> Tensor:
    """The mean of the four neighbours of every pixel; x: [B, C, S, S]."""
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    across, down = x[:, :, 1:-1], x[:, :, :, 1:-1]
    return (across[..., 2:] + across[..., :-2] + down[:, :, 2:] + down[:, :, :-2]) / 4


def broad(x: Tensor) -> Tensor:
    """What of x [B, C, S, S] is on a scale of an eighth of the image, like x."""
    coarse = F.adaptive_avg_pool2d(x, 8)
    return F.interpolate(coarse, size=x.shape[-2:], mode="bilinear", align_corners=False)


def membrane(x: Tensor, G: Tensor, M: Tensor) -> Tensor:
    """G with the colours of its surroundings: G + h, and x outside M up to rounding.

    x, G: [B, C, S, S] in [-1, 1]; M: [B, 1, S, S]; returns like x, in [-1, 1].
    """
    return (G + continuation(x - G, M)).clamp(-1, 1)


def nothing(x: Tensor, G: Tensor, M: Tensor) -> Tensor:
    """G as it is."""
    return G


BLENDS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "none": nothing,
    "membrane": membrane,
    "poisson": poisson,
}
"""Ways for a filling to meet its surroundings: (x, G, M) -> G anew, all like x."""


def complete(x: Tensor, G: Tensor, M: Tensor) -> Tensor:
    """y = M*G + (1-M)*x (3.9), by selection instead of arithmetic: outside M, y is x bit for bit.

    x, G: [B, C, H, W] in [-1, 1]; M: [B, 1, H, W] in {0, 1}; returns y like x.
    """
    return torch.where(M > 0.5, G.to(x.dtype), x)
