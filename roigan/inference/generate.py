"""Images from nothing: one per seed, the same alone or in a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from roigan.systems.model import Model

AT_ONCE = 64  # images generated at a time: bounds memory only


def generate_images(model: Model, seeds: Sequence[int]) -> Tensor:
    """[len(seeds), C, S, S] in [-1, 1], on the CPU. Raises UserError where the model cannot generate."""
    model.require("generate")
    z = torch.cat([model.latent(1, torch.Generator().manual_seed(seed)) for seed in seeds])
    return torch.cat([model.generate(part).cpu() for part in z.split(AT_ONCE)])
