"""Masks of several families drawn at random, for training and for caches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from roigan.corruptions.families import FAMILIES, KNOWN_SHARE


def draw(family: str, u: Tensor, size: int, known_share: float = KNOWN_SHARE) -> Tensor:
    """Masks of a family from uniform numbers: u [B, draws] -> float32 M [B, 1, size, size]."""
    parts = u.split(32 if u.device.type == "cpu" else max(1, len(u)))  # on a CPU: what the cache holds
    share = (known_share,) if FAMILIES[family].keeps_share else ()
    inside = [FAMILIES[family].rasterise(part, size, *share) for part in parts]
    return torch.cat(inside)[:, None].float()


def sample(
    family: str, count: int, size: int, generator: torch.Generator, known_share: float = KNOWN_SHARE
) -> Tensor:
    """`count` masks, the same on every machine: float64 on the CPU; float32 M [count, 1, size, size]."""
    draws = FAMILIES[family].draws(size)
    chunks = []  # bounded memory: a mixture takes 15 float64 images per mask
    for begin in range(0, count, 256):
        u = torch.rand(min(256, count - begin), draws, generator=generator, dtype=torch.float64)
        chunks.append(draw(family, u, size, known_share))
    return torch.cat(chunks)


def _shares(proportions: Mapping[Any, float]) -> tuple[list[Any], Tensor]:
    """The families that are wanted at all, and where in [0, 1] the share of each one ends."""
    families = [family for family, weight in proportions.items() if weight > 0]
    weights = torch.tensor([proportions[family] for family in families], dtype=torch.float64)
    return families, (weights.cumsum(0) / weights.sum()).float()


def _choose(u: Tensor, edges: Tensor) -> Tensor:
    """u [B] in [0, 1) on any device -> the number of the share that each lies in, int64 [B] on the CPU."""
    return torch.bucketize(u.contiguous().cpu(), edges, right=True).clamp(max=len(edges) - 1)


class Sampler:
    """Training masks of several families in given proportions, sampled on the training device.

    `draws` uniforms make one mask: the first chooses the family, the others shape it. All families are
    handed the same numbers, so a mask is a function of its own row alone, whichever rank draws it.
    """

    def __init__(self, proportions: Mapping[Any, float], size: int, known_share: float = KNOWN_SHARE) -> None:
        self.families, self.edges = _shares(proportions)
        self.size, self.known_share = size, known_share
        self.draws = 1 + max(FAMILIES[family].draws(size) for family in self.families)

    def __call__(self, u: Tensor) -> Tensor:
        """u [B, draws] in [0, 1) on any device -> M float32 [B, 1, size, size] there."""
        M = torch.empty(len(u), 1, self.size, self.size, device=u.device)
        chosen = _choose(u[:, 0], self.edges)
        for i, family in enumerate(self.families):
            rows = (chosen == i).nonzero()[:, 0].to(u.device)
            if len(rows):
                shape = u[rows, 1 : 1 + FAMILIES[family].draws(self.size)]
                M[rows] = draw(family, shape, self.size, self.known_share)
        return M


class CachedSampler:
    """Training masks from caches, chosen in the same proportions; interchangeable with `Sampler`."""

    draws = 2

    def __init__(self, proportions: Mapping[Any, float], caches: Mapping[Any, Tensor]) -> None:
        families, self.edges = _shares(proportions)
        self.caches = torch.stack([caches[family] for family in families])  # [families, count, 1, H, W]

    def __call__(self, u: Tensor) -> Tensor:
        """u [B, 2] in [0, 1) -> M float32 [B, 1, H, W] on u's device."""
        chosen = _choose(u[:, 0], self.edges)
        row = (u[:, 1].cpu() * self.caches.shape[1]).long()
        return self.caches[chosen, row].to(u.device)
