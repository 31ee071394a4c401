"""Losses on the maps of a network: feature matching, perceptual and style losses."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Maps = Sequence[Tensor]  # each [B, C_l, H_l, W_l]


def matching(a: Maps, b: Maps) -> Tensor:
    """sum_l E |a_l - b_l|: (3.11) with D's maps, (3.12) with those of a pretrained network.

    The mean runs over images, channels and places of a layer, so layers count alike whatever their size.
    """
    return torch.stack([(p.float() - q.float()).abs().mean() for p, q in zip(a, b, strict=True)]).sum()


def style(a: Maps, b: Maps) -> Tensor:
    """sum_l E |Gram(a_l) - Gram(b_l)|, Gram matrices per place and channel (Gatys et al. 2016)."""
    return torch.stack([(gram(p) - gram(q)).abs().mean() for p, q in zip(a, b, strict=True)]).sum()


def gram(features: Tensor) -> Tensor:
    """Channel correlations of a map [B, C, H, W]: [B, C, C], divided by C*H*W."""
    flat = features.float().flatten(2)
    return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])
