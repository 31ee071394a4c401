"""Distances between a completed image and the original, pixel by pixel: masked L1, PSNR and SSIM.

They reward the one true filling, which nobody asks a generator for: a smooth guess beats a sharp, plausible
one. Read them beside FID, never alone. Images y, x are [B, C, H, W] in [-1, 1]; the measures are taken on
the scale [0, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

ROUNDING = 1 / (12 * 255**2)  # mean square of an error uniform within one grey level


def l1(y: Tensor, x: Tensor, M: Tensor) -> Tensor:
    """Mean absolute difference inside the region M [B, 1, H, W]: [B] in [0, 1]; NaN where the region is
    empty."""
    difference = ((y - x).abs() / 2 * M).sum((1, 2, 3))
    return difference / (M.sum((1, 2, 3)) * x.shape[1])


def psnr(y: Tensor, x: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of the whole image, in decibels: [B].

    At most 58.9: an error below that of rounding to 8 bits counts as rounding, so that equal images stay
    finite.
    """
    mse = ((y - x) / 2).square().mean((1, 2, 3))
    return -10 * torch.log10(mse.clamp_min(ROUNDING))


def ssim(y: Tensor, x: Tensor) -> Tensor:
    """Structural similarity of the whole image (Wang et al. 2004; Gaussian window of 11 pixels): [B], at
    most 1."""
    values = structural_similarity_index_measure(
        y / 2 + 0.5, x / 2 + 0.5, data_range=1.0, kernel_size=11, reduction="none"
    )
    assert isinstance(values, Tensor)
    return values
