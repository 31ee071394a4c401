"""Training a small network to an end: AdamW, its rate in one cycle (Smith and Topin 2019)."""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from torch import Tensor, nn
from tqdm import trange


def fit(net: nn.Module, steps: int, lr: float, loss: Callable[[], Tensor], title: str) -> None:
    """Take `steps` steps on what `loss` returns for a batch of its own choice; lr: the highest rate."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    bar = trange(steps, desc=title, unit="step", file=sys.stderr, leave=False)
    for _ in bar:
        value = loss()
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{value.item():.2f}", refresh=False)
