"""Brightness and colours of an image, apart from each other."""

from __future__ import annotations

import torch
from torch import Tensor


def brightness(x: Tensor) -> Tensor:
    """The mean over the channels: [B, C, H, W] -> [B, 1, H, W]."""
    return x.mean(1, keepdim=True)


def chroma(x: Tensor) -> Tensor:
    """Red-green and blue-yellow, 0 where grey: [B, 3, H, W] -> [B, 2, H, W]; of grey images [B, 0, H, W]."""
    if x.shape[1] == 1:
        return x[:, :0]
    red, green, blue = x.unbind(1)
    return torch.stack([red - green, blue - (red + green) / 2], 1)
