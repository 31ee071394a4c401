"""How far vectors are from the nearest one of those that are remembered."""

from __future__ import annotations

import torch
from torch import Tensor

AT_ONCE = 256  # vectors compared at a time: bounds memory only


def nearest_squared(x: Tensor, known: Tensor) -> Tensor:
    """The squared distance [B] of x [B, F] to the nearest of known [M, F]."""
    lengths = known.square().sum(1)
    parts = [part.square().sum(1) + (lengths - 2 * part @ known.T).min(1).values for part in x.split(AT_ONCE)]
    return torch.cat(parts).clamp_min(0)
