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


WARM_UP, PULSE = 8, 60.0  # steps that tell the speed of a run; seconds that it may be silent


class Progress:
    """The lines of a run: where it stands, its speed and the time left."""

    def __init__(self, steps: int, start: int, batch_size: int) -> None:
        self.steps, self.start, self.batch_size, self.began = steps, start, batch_size, time.monotonic()
        self.pace = 0  # steps from one line to the next, once known

    def rate(self, step: int) -> float:
        """Images per second since this process began to train."""
        return round((step - self.start) * self.batch_size / max(time.monotonic() - self.began, 1e-9), 2)

    def line(self, epoch: int, step: int, terms: dict[str, float], rate: float) -> str:
        """The line of a report, with the terms that tell how the game stands."""
        shown = "  ".join(f"{name} {value:.3f}" for name, value in terms.items() if name.endswith("/adv"))
        left = (self.steps - step) * self.batch_size / max(rate, 1e-9)
        place = f"step {step}/{self.steps}  {rate:.1f} images/s  ETA {clock(left)}"
        return f"epoch {epoch}  {place}  {shown}".rstrip()

    def due(self, step: int, report: int) -> bool:
        """Whether a line is due on the way to a report that is more than a minute away."""
        made = step - self.start
        if made == WARM_UP:
            self.pace = max(1, int(PULSE * made / (time.monotonic() - self.began)))
        warm = made == WARM_UP or (self.pace > 0 and made % self.pace == 0)
        return warm and report - step >= self.pace


def clock(seconds: float) -> str:
    """Hours, minutes and seconds, as 01:02:03; days are hours."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest:02d}"
