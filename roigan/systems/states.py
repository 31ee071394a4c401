"""The past of a trained model: its networks as they were at equal distances, their weights, their mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor

from roigan.errors import UserError
from roigan.files.tensors import sha256_of


class State(NamedTuple):
    """The networks of a moment."""

    step: int
    nets: dict[str, dict[str, Tensor]]
    """Network -> its state, float32 on the CPU."""


def file_of_state(folder: Path, step: int) -> Path:
    """Where the state of a step lies."""
    return folder / f"{step:08d}.safetensors"


def check_states(folder: Path, listed: Sequence[Mapping[str, Any]]) -> None:
    """Raise UserError unless the states that a model's config.json lists lie in its folder `states`."""
    for state in listed:
        file = file_of_state(folder, state["step"])
        if not file.is_file() or sha256_of(file) != state["sha256"]:
            raise UserError(
                f"the state of step {state['step']} is missing or damaged; train anew (ROIGAN_FRESH=1)"
            )


def load_states(folder: Path, listed: Sequence[Mapping[str, Any]]) -> list[State]:
    """The states that a model's config.json lists, in the order of their steps.

    Raises UserError for one that is missing, another model's, or holds what is no number.
    """
    check_states(folder, listed)
    states = []
    for step in sorted(state["step"] for state in listed):
        nets: dict[str, dict[str, Tensor]] = {}
        for key, value in load_file(file_of_state(folder, step)).items():
            if not value.isfinite().all():
                raise UserError(f"the state of step {step} holds what is no number; lower the prior's rates")
            net, name = key.split("/", 1)
            nets.setdefault(net, {})[name] = value
        states.append(State(step, nets))
    return states


def weights(count: int, start: float, decay: float) -> Tensor:
    """q [T], float64, sum 1: q_t ~ exp(-decay t/T) for t = 1..T above start T, else 0.

    Raises UserError where fewer than two states are left.
    """
    t = torch.arange(1, count + 1, dtype=torch.float64)
    counted = t > start * count
    if counted.sum() < 2:
        raise UserError(
            f"model.past.start {start:g} leaves {int(counted.sum())} of {count} states, two are needed: "
            "lower it, or raise prior.train.history.states"
        )
    return torch.where(counted, -decay * t / count, -torch.inf).softmax(0)


def mean_state(states: Sequence[State], net: str, q: Tensor) -> dict[str, Tensor]:
    """The mean of a network's states, weighed by q [T]: one network, float32."""

    def mean(name: str) -> Tensor:
        return torch.tensordot(q, torch.stack([state.nets[net][name].double() for state in states]), 1)

    return {name: mean(name).float() for name in states[0].nets[net]}
