"""The latent vector z = cat(z0, c, one-hot k): incompressible noise, sliders and codes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from roigan.config import LatentSizes


def join_latent(z0: Tensor, c: Tensor, k: Tensor, values: int) -> Tensor:
    """z = cat(z0, c, one-hot k): [B, noise + sliders + codes*values]; k: int64 [B, codes]."""
    return torch.cat([z0, c, F.one_hot(k, values).flatten(1).to(z0.dtype)], 1)


def draw_latent(
    n: int,
    sizes: LatentSizes,
    generator: torch.Generator,
    c: Tensor | None = None,
    k: Sequence[int] | Tensor | None = None,
    z0: Tensor | None = None,
) -> Tensor:
    """n latent vectors z [n, noise + sliders + codes*values] on the CPU.

    generator: of the CPU; it is advanced alike whether or not the controls are given, so that the same seed
    with other sliders keeps its z0. c: float [sliders] or [n, sliders], each in [-1, 1], and k: one number
    per code or [n, codes]; z0: float [noise] or [n, noise]; None draws them per vector.
    """
    noise, sliders, codes, values = sizes
    random_z0 = torch.randn(n, noise, generator=generator)
    random_c = 2 * torch.rand(n, sliders, generator=generator) - 1
    random_k = torch.randint(values, (n, codes), generator=generator)
    z0_all = random_z0 if z0 is None else z0.to(torch.float32).expand(n, noise)
    c_all = random_c if c is None else c.to(torch.float32).expand(n, sliders)
    k_all = random_k if k is None else torch.as_tensor(k, dtype=torch.long).expand(n, codes)
    return join_latent(z0_all, c_all, k_all, values)


def uniform(z: Tensor) -> Tensor:
    """U(-1, 1) of N(0, 1), 2 Phi(z) - 1: so that all systems draw alike."""
    return torch.erf(z / math.sqrt(2))
