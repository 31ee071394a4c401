"""Squares cut from within images, brought back to their size: a thing is larger and elsewhere in them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def recropped(x: Tensor, u: Tensor, share: float) -> Tensor:
    """A square of each image, 1 - share to 1 as wide and anywhere in it, at the size of x; bicubic.

    x: [B, C, S, S] in [-1, 1]; u: [B, 3] in [0, 1): how much narrower, the place from left, from above.
    """
    side = 1 - share * u[:, 0]
    theta = x.new_zeros(len(x), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = side
    theta[:, :, 2] = (1 - side)[:, None] * (2 * u[:, 1:] - 1)  # its middle, of half the image's side
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    cut = F.grid_sample(x, grid, mode="bicubic", padding_mode="border", align_corners=False)
    return torch.clamp(cut, -1, 1)
