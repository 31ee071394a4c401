"""Losses on the maps of a network: feature matching, perceptual and style losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Maps = Sequence[Tensor]  # each [..., C_l, H_l, W_l]; targets may lack the first dimensions


def matching(maps: Maps, targets: Maps) -> Tensor:
    """sum_l E |a_l - b_l|: (3.11) with D's maps, (3.12) with those of a pretrained network.

    The mean runs over images, channels and places of a layer, so layers count alike whatever their size.
    """
    return torch.stack([_Distance.apply(a, b) for a, b in zip(maps, targets, strict=True)]).sum()


class _Distance(torch.autograd.Function):
    """E |a - b|, as a function of a. Maps are the largest tensors of a step: one of their size is kept here
    for the backward pass, which makes one more, the gradient."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        difference = a - b
        ctx.save_for_backward(difference)
        return difference.abs().mean(dtype=torch.float32)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (difference,) = ctx.saved_tensors
        # not in place on what is saved: with retain_graph a second pass reads it again
        return difference.sign().mul_(gradient / difference.numel()), None


def style(maps: Maps, targets: Maps) -> Tensor:
    """sum_l E |Gram(a_l) - Gram(b_l)|, Gram matrices per place and channel (Gatys et al. 2016)."""
    return torch.stack([(gram(a) - gram(b)).abs().mean() for a, b in zip(maps, targets, strict=True)]).sum()


def gram(features: Tensor) -> Tensor:
    """Channel correlations of a map [..., C, H, W]: [..., C, C], divided by C*H*W."""
    flat = features.float().flatten(-2)
    return flat @ flat.mT / (flat.shape[-2] * flat.shape[-1])
