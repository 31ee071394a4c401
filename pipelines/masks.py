"""Stage `masks`: bit-packed caches of masks for the evaluation and, if cached, for training."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from roigan.config import load_params
from roigan.corruptions.cache import save_cache
from roigan.corruptions.sampling import sample
from roigan.errors import exit_on_user_error
from roigan.files import paths
from roigan.images.grids import grid, save_png

SHOWN = 12  # masks per family in the picture


def main() -> None:
    masks = load_params().masks
    wanted = [family for family, weight in masks.train.items() if weight > 0] if masks.cached else []
    shown = draw("", masks.evaluate, paths.MASKS)
    save_png(paths.MASKS / "masks.png", grid(np.concatenate(shown), SHOWN))
    draw("train/", wanted, paths.TRAINING_MASKS)


def draw(prefix: str, families: Sequence[str], folder: Path) -> list[np.ndarray]:
    """Write a cache for every family; returns the first masks of each, uint8 [12, S, S, 1]."""
    params = load_params()
    masks, size = params.masks, params.data.image_size
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    hashes, shown = {}, list[np.ndarray]()
    for number, family in enumerate(sorted(families), 1):
        # one seed per file: adding a family changes no other's masks
        name = f"{prefix}{family}.npz"
        seed = int.from_bytes(hashlib.sha256(f"{masks.seed} {name}".encode()).digest()[:7], "big")
        M = sample(family, masks.count, size, torch.Generator().manual_seed(seed), masks.known_share)
        save_cache(folder / f"{family}.npz", M)
        hashes[f"{family}.npz"] = hashlib.sha256(np.packbits(M.numpy() > 0.5).tobytes()).hexdigest()
        shown.append((M[torch.arange(SHOWN) % len(M), 0, ..., None].numpy() * 255).astype(np.uint8))
        print(f"masks {number}/{len(families)}: {name}, {100 * M.mean():.1f} % of the pixels generated")
    about = {"size": size, "sha256": hashes}
    (folder / "statistics.json").write_text(json.dumps(about, indent=1) + "\n")
    return shown


if __name__ == "__main__":
    exit_on_user_error(main)
