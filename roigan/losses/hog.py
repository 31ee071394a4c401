"""Histograms of oriented gradients, differentiable: the outlines of an image in coarse cells.

N. Dalal, B. Triggs, Histograms of Oriented Gradients for Human Detection, CVPR 2005, as J.-Y. Zhu et al.,
ECCV 2016, use them for the sketch brush: unsigned, without normalisation of blocks.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

BINS = 8  # of orientations, over half a turn
A = math.cos(math.pi / BINS)  # of a gradient as far from a bin's direction as the next bin's is
SMALLEST = 1e-12  # under a root


def hog(x: Tensor, eps: float, stride: int = 8) -> Tensor:
    """x [B, C, H, W] in [-1, 1] -> [B, 8, H / stride, W / stride].

    h_i = max(0, (|g . t_i| - a sqrt(|g|^2 + eps)) / (1 - a)) with a = cos(pi / 8), of g = Sobel / 4 of the
    mean of the channels in [0, 1]; cells sum it by tents of twice the stride. A plain edge of height s has 2s
    per pixel of its length. Below |g| = cot(pi / 8) sqrt(eps) nothing answers.
    """
    g = gradient((x.mean(1, keepdim=True) + 1) / 2)  # [B, 2, H, W]
    angles = torch.arange(BINS, device=x.device, dtype=x.dtype) * (math.pi / BINS)
    t = torch.stack([angles.cos(), angles.sin()], 1)  # [8, 2]
    along = torch.einsum("id,bdhw->bihw", t, g).abs()
    length = (g.square().sum(1, keepdim=True) + max(eps, SMALLEST)).sqrt()
    return cells(F.relu(along - A * length) / (1 - A), stride)


def gradient(grey: Tensor) -> Tensor:
    """Sobel / 4, to the right and down: [B, 1, H, W] -> [B, 2, H, W]; the border is continued."""
    smooth, slope = grey.new_tensor([1, 2, 1]), grey.new_tensor([-1, 0, 1])
    right = torch.outer(smooth, slope) / 4
    return F.conv2d(F.pad(grey, (1, 1, 1, 1), "replicate"), torch.stack([right, right.T])[:, None])


def cells(h: Tensor, stride: int) -> Tensor:
    """Sums of h [B, K, H, W] over cells by tents that overlap: [B, K, H / stride, W / stride]."""
    ramp = (torch.arange(2 * stride, device=h.device, dtype=h.dtype) + 0.5) / stride
    tent = 1 - (ramp - 1).abs()  # [2 stride], with the sum stride
    kernel = torch.outer(tent, tent).expand(h.shape[1], 1, -1, -1)
    return F.conv2d(h, kernel, stride=stride, padding=stride // 2, groups=h.shape[1])
