"""Checkpoints without pickle: tensors as safetensors, the rest as JSON, in one folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

TENSORS, STATE = "state.safetensors", "state.json"


def save(
    folder: Path,
    nets: dict[str, nn.Module],
    optimizers: dict[str, torch.optim.Optimizer],
    state: dict[str, Any],
) -> None:
    """Write networks, optimisers and a JSON-able state into a folder."""
    tensors: dict[str, Tensor] = {}
    for name, net in nets.items():
        tensors |= {f"net/{name}/{key}": value for key, value in net.state_dict().items()}
    for name, optimizer in optimizers.items():
        for index, slot in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{name}/{index}/{key}": value for key, value in slot.items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, folder / TENSORS)
    (folder / STATE).write_text(json.dumps(state))


def load(
    folder: Path, nets: dict[str, nn.Module], optimizers: dict[str, torch.optim.Optimizer]
) -> dict[str, Any]:
    """Read a folder into the networks and optimisers given; returns the state."""
    tensors = load_file(folder / TENSORS)
    for name, net in nets.items():
        prefix = f"net/{name}/"
        net.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    for name, optimizer in optimizers.items():
        content = optimizer.state_dict()
        for key, value in tensors.items():
            if key.startswith(f"optimizer/{name}/"):
                _, _, index, slot = key.split("/")
                content["state"].setdefault(int(index), {})[slot] = value
        optimizer.load_state_dict(content)
    state: dict[str, Any] = json.loads((folder / STATE).read_text())
    return state
