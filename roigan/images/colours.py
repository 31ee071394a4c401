"""Brightness and colours of an image, apart from each other: channel means, and CIE Lab.

Lab is that of the D65 white point and the sRGB transfer curve (IEC 61966-2-1; CIE 15:2004). White is taken
from the matrix itself, so that equal channels have a = b = 0 up to rounding.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
"""From linear sRGB to XYZ (Lindbloom's digits)."""
FROM_RGB = XYZ / XYZ.sum(1, keepdims=True)  # to shares of the white point
TO_RGB = np.linalg.inv(FROM_RGB)
EDGE = 6 / 29  # where Lab's cube root becomes a straight line
GREY = 8  # levels by which channels may differ, as compression has them do
BISECTIONS = 10  # of the way from grey to a colour that RGB does not have: a thousandth of it


def brightness(x: Tensor) -> Tensor:
    """The mean over the channels: [B, C, H, W] -> [B, 1, H, W]."""
    return x.mean(1, keepdim=True)


def grey_share(images: Tensor) -> float:
    """The share of images without colours; images: uint8 [N, H, W, 3], levels up to GREY apart are grey."""
    apart = (images.amax(3) - images.amin(3)).flatten(1).amax(1)
    return (apart <= GREY).float().mean().item()


def chroma(x: Tensor) -> Tensor:
    """Red-green and blue-yellow, 0 where grey: [B, 3, H, W] -> [B, 2, H, W]; of grey images [B, 0, H, W]."""
    if x.shape[1] == 1:
        return x[:, :0]
    red, green, blue = x.unbind(1)
    return torch.stack([red - green, blue - (red + green) / 2], 1)


def lab(x: Tensor) -> Tensor:
    """CIE Lab of sRGB images: [B, 3, H, W] in [-1, 1] -> L in [0, 100], a, b; differentiable."""
    rgb = (x.clamp(-1, 1) + 1) / 2
    # both branches have finite gradients wherever `where` may look at them
    linear = torch.where(rgb > 0.04045, ((rgb.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    t = _mixed(FROM_RGB, linear)  # X/Xn, Y/Yn, Z/Zn
    f = torch.where(t > EDGE**3, t.clamp_min(EDGE**3) ** (1 / 3), t / (3 * EDGE**2) + 4 / 29)
    X, Y, Z = f.unbind(1)
    return torch.stack([116 * Y - 16, 500 * (X - Y), 200 * (Y - Z)], 1)


def rgb(colours: Tensor) -> Tensor:
    """sRGB in [-1, 1] of CIE Lab, [B, 3, H, W] each; differentiable.

    Colours that sRGB does not have are drawn towards the grey of the same L until they fit; clipping each
    channel instead would move L by up to 21 of 100.
    """
    L, ab = colours[:, :1].clamp(0, 100), colours[:, 1:]
    with torch.no_grad():
        low, high = torch.zeros_like(L), torch.ones_like(L)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            fits = _fits(_linear(torch.cat([L, middle * ab], 1)))
            low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
        share = torch.where(_fits(_linear(torch.cat([L, ab], 1))), 1.0, low)
    linear = _linear(torch.cat([L, share * ab], 1)).clamp(0, 1)
    curved = 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear > 0.0031308, curved, 12.92 * linear) * 2 - 1


def _linear(colours: Tensor) -> Tensor:
    """Linear sRGB of Lab, beyond [0, 1] where there is no such colour; [B, 3, H, W] each."""
    L, a, b = colours.unbind(1)
    Y = (L + 16) / 116
    f = torch.stack([Y + a / 500, Y, Y - b / 200], 1)
    t = torch.where(f > EDGE, f**3, 3 * EDGE**2 * (f - 4 / 29))
    return _mixed(TO_RGB, t)


def _fits(linear: Tensor) -> Tensor:
    """[B, 3, H, W] -> bool [B, 1, H, W]; the margin is below a thousandth of a level."""
    return ((linear > -1e-6) & (linear < 1 + 1e-6)).all(1, keepdim=True)


def _mixed(matrix: np.ndarray, channels: Tensor) -> Tensor:
    """[3, 3] times the channels [B, 3, H, W] of every pixel. Sums, and no product of matrices, which autocast
    would take in bfloat16: three digits of XYZ are two units of a, b."""
    first, second, third = channels.unbind(1)
    rows = matrix.tolist()
    return torch.stack([p * first + q * second + r * third for p, q, r in rows], 1)
