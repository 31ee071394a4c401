"""Distances between a completed image and the original, pixel by pixel: masked L1, PSNR and SSIM.

They reward the one true filling, which nobody asks a generator for: a smooth guess beats a sharp, plausible
one. Read them beside FID, never alone. Images y, x are [B, C, H, W] in [-1, 1]; the measures are taken on
the scale [0, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDING = 1 / (12 * 255**2)  # mean square of an error uniform within one grey level
WINDOW, SIGMA = 11, 1.5  # of SSIM, in pixels
C1, C2 = 0.01**2, 0.03**2  # keep SSIM's quotients finite


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
    y, x = y / 2 + 0.5, x / 2 + 0.5
    rows, columns = (_windows(side).to(x) for side in x.shape[2:])

    def mean(t: Tensor) -> Tensor:  # in every window: two products, far cheaper than convolving
        return rows @ t @ columns.T

    my, mx = mean(y), mean(x)
    variances = mean(y * y + x * x) - my * my - mx * mx
    covariance = mean(y * x) - my * mx
    quotient = (2 * my * mx + C1) * (2 * covariance + C2) / ((my * my + mx * mx + C1) * (variances + C2))
    return quotient.mean((1, 2, 3))


def _windows(side: int) -> Tensor:
    """The weights of the window around every pixel of a line, which is mirrored at its ends: [side, side]."""
    offset = torch.arange(WINDOW) - WINDOW // 2
    weights = torch.exp(-(offset / SIGMA).square() / 2)
    pixel = (torch.arange(side)[:, None] + offset).abs()  # [side, WINDOW]
    pixel = torch.minimum(pixel, 2 * (side - 1) - pixel)
    return torch.zeros(side, side).scatter_add(1, pixel, (weights / weights.sum()).expand(side, -1))
