"""Losses on pixels."""

from __future__ import annotations

from torch import Tensor

from roigan.corruptions.corruption import Corruption
from roigan.images.blending import broad
from roigan.images.colours import chroma


def total_variation(y: Tensor, M: Tensor) -> Tensor:
    """Total variation of the completed image in the region (2.10), per pixel of the image.

    Sum of |y_p - y_q| over neighbours p, q of which at least one is generated (the seam counts), divided by
    the number of pixels and channels. y: [B, C, H, W]; M: [B, 1, H, W].
    """
    down = (y[:, :, 1:] - y[:, :, :-1]).abs() * (M[:, :, 1:] + M[:, :, :-1]).clamp(max=1)
    right = (y[:, :, :, 1:] - y[:, :, :, :-1]).abs() * (M[:, :, :, 1:] + M[:, :, :, :-1]).clamp(max=1)
    return (down.sum() + right.sum()) / y.numel()


def chroma_variation(y: Tensor, M: Tensor) -> Tensor:
    """Total variation of the chroma: like (2.10), whose colours may change with the brightness for free.

    Ours: neither D nor networks that know shapes mind coloured specks. y: [B, 3, H, W]; M: [B, 1, H, W].
    """
    return total_variation(chroma(y), M)


def lacking_diversity(y: Tensor, other: Tensor, M: Tensor, least: float) -> Tensor:
    """max(0, 1 - d/least), mean over images: what two completions of an image lack of a distance.

    d: |y - other| [B, C, H, W] in [-1, 1], both without what is broad in them, mean over channels and the
    pixels of the region M [B, 1, H, W]. The term of Yang et al. 2019 (Diversity-Sensitive Conditional GANs),
    whose bound tau is `least`; theirs is the distance of the images as they are, which a darker region
    satisfies as well as another one.
    """
    D = y - other
    d = (M * (D - broad(D))).abs().sum((1, 2, 3)) / (y.shape[1] * M.sum((1, 2, 3))).clamp(min=1)
    return (1 - d / least).clamp(min=0).mean()


def masked_mse(y: Tensor, x: Tensor, M: Tensor) -> Tensor:
    """|M (y - x)|^2 per pixel and channel of the image: large regions weigh more; y, x: [B, C, H, W]."""
    return (M * (y - x)).square().mean()


def l1(y: Tensor, x: Tensor) -> Tensor:
    """Mean absolute difference of two images [B, C, H, W]."""
    return (y - x).abs().mean()


def known_error(G: Tensor, x: Tensor, M: Tensor) -> Tensor:
    """|(1-M) (x - G)|^2, summed over pixels and channels, mean over images; G, x: [B, C, H, W]."""
    return ((1 - M) * (x - G)).square().sum((1, 2, 3)).mean()


def squared(a: Tensor, b: Tensor) -> Tensor:
    """The mean of (a - b)^2 over channels and places, [B]; a, b: [B, C, H, W]."""
    return (a - b).square().flatten(1).mean(1)


def known_l1(G: Tensor, x: Tensor, corruption: Corruption) -> Tensor:
    """|(1-M) (T(G) - T(x))|, mean over the known coordinates and over images; G, x: [B, C, H, W]."""
    residual = corruption.residual(G, x)  # [B, C', H, W]
    known = (1 - corruption.M).expand_as(residual)
    return (residual.sum((1, 2, 3)) / known.sum((1, 2, 3))).mean()
