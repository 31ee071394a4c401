"""The random numbers of one training step, as functions of (seed, step, purpose)."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


class Draws:
    """Named random numbers for the images of one step.

    They are drawn for the whole batch and sliced to the rank's own rows, on the CPU: so they depend neither
    on the number of ranks, nor on the device, nor on what was drawn before, and a resumed run needs no saved
    generator state.
    """

    def __init__(
        self, seed: int, step: int, total: int, rows: slice = slice(None), device: torch.device | str = "cpu"
    ) -> None:
        self.seed, self.step, self.total, self.rows, self.device = seed, step, total, rows, device

    def uniform(self, purpose: str, *shape: int) -> Tensor:
        """U(0, 1), float32 [rows, *shape] on the device."""
        return self._mine(torch.rand(self.total, *shape, generator=self._generator(purpose)))

    def normal(self, purpose: str, *shape: int) -> Tensor:
        """N(0, 1), float32 [rows, *shape] on the device."""
        return self._mine(torch.randn(self.total, *shape, generator=self._generator(purpose)))

    def integers(self, purpose: str, high: int, *shape: int) -> Tensor:
        """Uniform on 0..high-1, int64 [rows, *shape] on the device."""
        return self._mine(torch.randint(high, (self.total, *shape), generator=self._generator(purpose)))

    def _generator(self, purpose: str) -> torch.Generator:
        digest = hashlib.sha256(f"{self.seed} {self.step} {purpose}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)

    def _mine(self, everyone: Tensor) -> Tensor:
        return everyone[self.rows].to(self.device, non_blocking=True)
