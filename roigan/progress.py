"""What a run tells while it goes: means of its terms, speed, time left."""

from __future__ import annotations

import time

import torch
import torch.distributed as dist
from torch import Tensor


class Means:
    """Mean of each named term over the steps in which it was computed; one synchronisation per epoch."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.broke: dict[str, Tensor] = {}  # the first step at which a term was not finite

    def add(self, step: int, terms: dict[str, Tensor]) -> None:
        """Count the terms of a step, in the order in which they were computed."""
        for name, value in terms.items():
            bad = torch.where(value.isfinite(), torch.inf, float(step))
            first = name not in self.sums
            self.sums[name] = value.clone() if first else self.sums[name] + value
            self.broke[name] = bad if first else torch.minimum(self.broke[name], bad)
            self.counts[name] = self.counts.get(name, 0) + 1

    def over_ranks(self, world: int) -> tuple[dict[str, float], str | None]:
        """The means, averaged over all ranks, and the term that was the first to be NaN or infinite."""
        means = torch.stack([total / self.counts[name] for name, total in self.sums.items()])
        broke = torch.stack(list(self.broke.values()))
        if world > 1:
            dist.all_reduce(means)
            means /= world
            dist.all_reduce(broke, dist.ReduceOp.MIN)
        at, names = broke.tolist(), list(self.sums)
        culprit = min(names, key=lambda name: at[names.index(name)])
        broken = culprit if at[names.index(culprit)] < float("inf") else None
        return dict(zip(names, means.tolist(), strict=True)), broken


class Progress:
    """The line of an epoch: position, speed, time left, and the terms that tell how the game stands."""

    def __init__(self, steps: int, start: int, batch_size: int) -> None:
        self.steps, self.start, self.batch_size, self.began = steps, start, batch_size, time.monotonic()

    def rate(self, step: int) -> float:
        """Images per second since this process began to train."""
        return round((step - self.start) * self.batch_size / max(time.monotonic() - self.began, 1e-9), 2)

    def line(self, epoch: int, step: int, terms: dict[str, float], rate: float) -> str:
        left = (self.steps - step) * self.batch_size / max(rate, 1e-9)
        shown = "  ".join(f"{name} {value:.3f}" for name, value in terms.items() if name.endswith("/adv"))
        eta = time.strftime("%H:%M:%S", time.gmtime(left))
        return f"epoch {epoch}  step {step}/{self.steps}  {rate:.1f} images/s  ETA {eta}  {shown}"
