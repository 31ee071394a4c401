"""Checkpoints without pickle: tensors as safetensors, the rest as JSON, in one folder."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from roigan.errors import UserError, brief
from roigan.files.tensors import save_tensors, sha256_of

TENSORS, STATE, SEAL = "state.safetensors", "state.json", "files.json"
FULL = {errno.ENOSPC, errno.EDQUOT}  # what a disk without room says


class Damaged(Exception):
    """A checkpoint folder that is not what was sealed: cut off, altered, or never finished."""


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
    save_tensors(tensors, folder / TENSORS)
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


def seal(folder: Path) -> None:
    """Write down the hashes of all files of a folder, once it is complete."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / SEAL]
    hashes = {str(path.relative_to(folder)): sha256_of(path) for path in files}
    (folder / SEAL).write_text(json.dumps(hashes, indent=1))


def check(folder: Path) -> None:
    """Raise Damaged, with one line that names a file, unless the folder is as it was sealed."""
    try:
        hashes = json.loads((folder / SEAL).read_text())
        for name, wanted in hashes.items():
            if sha256_of(folder / name) != wanted:
                raise Damaged(f"{name} is not what was written")
    except FileNotFoundError as error:
        raise Damaged(f"{Path(error.filename).name} is missing") from None
    except (ValueError, AttributeError, TypeError):
        raise Damaged(f"{SEAL} cannot be read") from None


@contextmanager
def writing(step: int) -> Iterator[None]:
    """Turns a full disk, a lost share and their like into one line."""
    try:
        yield
    except OSError as error:
        raise unwritten(step, error) from error


def unwritten(step: int, error: Exception) -> UserError:
    """The line for a checkpoint that could not be written."""
    reason = getattr(error, "strerror", None) or brief(error)
    return UserError(
        f"the checkpoint of step {step} cannot be written ({reason}); "
        "when that is mended, the same command goes on from the one before"
    )
