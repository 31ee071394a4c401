"""Caches of masks on disk, packed to bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from roigan.errors import UserError


def save_cache(path: Path, M: Tensor) -> None:
    """Write masks [N, 1, H, W] as bits: one row of ceil(H*W/8) bytes per mask."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bits = np.packbits(M.flatten(1).numpy() > 0.5, axis=1)
    np.savez(path, bits=bits, shape=np.array(M.shape[-2:]))


def load_cache(path: Path) -> Tensor:
    """Read a cache: float32 M [N, 1, H, W]. Raises UserError where it is missing or damaged."""
    try:
        # opened here: numpy leaves a file open whose container it refuses
        with path.open("rb") as file, np.load(file, allow_pickle=False) as cache:
            height, width = (int(side) for side in cache["shape"])
            bits = np.unpackbits(cache["bits"], axis=1, count=height * width)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; run the stage `masks` first (dvc repro masks)") from None
    except Exception as error:  # a damaged zip container raises half a dozen different exceptions
        raise UserError(f"{path} is damaged ({error}); run dvc repro -f masks") from None
    return torch.from_numpy(bits).float().reshape(-1, 1, height, width)
