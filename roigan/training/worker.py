"""A rank of a training: where it runs, and how it speaks to the outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn


@dataclass
class Worker:
    """Where a worker runs: its rank among how many, its device, and how it speaks to the outside."""

    name: str  # of the run: equal names are the same training
    root: Path  # the project's folder: outputs of earlier stages lie below it
    report: Callable[[dict[str, Any], Path | None], None]
    """report(metrics, folder): every rank calls it after every epoch; rank 0 brings a checkpoint folder."""
    scratch: Path  # rank 0 writes its checkpoint folder here
    say: Callable[[str], None] = lambda line: None  # a line of progress; what rank 0 says is printed
    keep_state: Callable[[Path], None] = lambda file: None
    """Rank 0 hands over the file of a past state (`train.history`) before the checkpoint that lists it."""
    rank: int = 0
    world: int = 1
    device: torch.device | str = "cpu"
    wrap: Callable[[nn.Module], nn.Module] = lambda net: net  # DistributedDataParallel, or nothing
    resume: Path | None = None  # the last checkpoint folder
