"""Packed arrays of images and the way from them to batches on the device."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from roigan.errors import UserError


def to_float(images: np.ndarray) -> Tensor:
    """uint8 [..., H, W, C] -> float32 [..., C, H, W] in [-1, 1]."""
    return normalise(torch.from_numpy(np.array(images)).movedim(-1, -3))  # a copy: maps are read-only


def normalise(images: Tensor) -> Tensor:
    """uint8 of any shape -> float32 in [-1, 1], on the same device."""
    return images.float() / 127.5 - 1


def to_uint8(x: Tensor) -> np.ndarray:
    """float [..., C, H, W] in [-1, 1] -> uint8 [..., H, W, C]; the exact inverse of `to_float`."""
    levels = (x.detach().float().clamp(-1, 1) + 1) * 127.5
    return levels.round().to(torch.uint8).movedim(-3, -1).cpu().numpy()


def batches(images: np.ndarray, count: int) -> Iterator[Tensor]:
    """uint8 [N, H, W, C] -> float32 [at most count, C, H, W] in [-1, 1], one after the other."""
    for begin in range(0, len(images), count):
        yield to_float(images[begin : begin + count])


def load_split(folder: Path, split: str) -> np.ndarray:
    """The packed images of a split: uint8 [N, H, W, C], memory-mapped.

    Raises UserError where the stage `prepare` has not written them, or not to the end.
    """
    path = Path(folder) / f"{split}.npy"
    if not path.is_file():
        raise UserError(f"{path} does not exist; run the stage `prepare` first (dvc repro prepare)")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise UserError(f"{path} is damaged ({error}); run dvc repro -f prepare") from None


def load_labels(folder: Path, split: str) -> np.ndarray | None:
    """The labels of a split, int64 [N] from 0, in the order of its images; None where the data has none."""
    import pandas as pd

    path = Path(folder) / "manifest.parquet"
    if not path.is_file():  # packed by other means
        return None
    manifest = pd.read_parquet(path, columns=["split", "index", "label"])
    labels = manifest[manifest["split"] == split].sort_values("index")["label"]
    return None if labels.empty or labels.isna().any() else labels.to_numpy(np.int64)


def load_statistics(folder: Path) -> dict[str, Any]:
    """What the stage `prepare` found out about the data; its key `data` is the hash of all pixels."""
    path = Path(folder) / "statistics.json"
    if not path.is_file():
        raise UserError(f"{path} does not exist; run the stage `prepare` first (dvc repro prepare)")
    try:
        statistics: dict[str, Any] = json.loads(path.read_text())
    except ValueError:
        raise UserError(f"{path} is damaged; run dvc repro -f prepare") from None
    return statistics
