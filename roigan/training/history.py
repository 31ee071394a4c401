"""Past states of a training: the networks as they were at equal distances, kept beside the model.

They are the live networks, not their averages, in float32. A state is written with the checkpoint that lists
it, so that a run that was interrupted ends with the same states, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from roigan.config import TrainParams
from roigan.errors import UserError
from roigan.files.tensors import save_tensors, sha256_of
from roigan.systems.states import file_of_state


def moments(train: TrainParams) -> list[int]:
    """The steps after which a state is kept, in order; the last one is the last step."""
    count = train.history.states
    if count > train.steps:
        raise UserError(f"train.history.states is {count}, but there are only {train.steps} steps; lower it")
    return [round((i + 1) * train.steps / count) for i in range(count)]


class History:
    """Keeps states in memory until the checkpoint that lists them is written."""

    def __init__(self, train: TrainParams, nets: Mapping[str, nn.Module]) -> None:
        """nets: those that are kept. Raises UserError where the states would take more room than allowed."""
        self.moments, self.nets = set(moments(train)), nets
        self.waiting: dict[int, dict[str, Tensor]] = {}
        values = sum(t.numel() for net in nets.values() for t in net.state_dict().values())
        megabytes = train.history.states * values * 4 / 1e6
        if megabytes > train.history.limit_mb:
            raise UserError(
                f"train.history: {train.history.states} states take {megabytes:.0f} MB, limit_mb is "
                f"{train.history.limit_mb}; keep fewer, or raise the limit"
            )

    def see(self, step: int) -> None:
        """Call it after every step: `step` is the number of steps made."""
        if step in self.moments:
            self.waiting[step] = {
                f"{name}/{key}": value.detach().to("cpu", torch.float32, copy=True)
                for name, net in self.nets.items()
                for key, value in net.state_dict().items()
            }

    def write(self, folder: Path) -> list[tuple[Path, dict[str, Any]]]:
        """Write what waits; returns the files with what the checkpoint notes of them: step and sha256."""
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for step, tensors in self.waiting.items():
            file = file_of_state(folder, step)
            save_tensors(tensors, file)
            written.append((file, {"step": step, "sha256": sha256_of(file)}))
        self.waiting = {}
        return written
