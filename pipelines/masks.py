"""Stage `masks`: caches of evaluation (and, if asked for, training) masks, and a picture of each family."""

import hashlib
import json

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
    params = load_params()
    masks, size = params.masks, params.data.image_size
    wanted = {f"{family}.npz": family for family in masks.evaluate}
    if masks.cached:
        wanted |= {f"train/{family}.npz": family for family, weight in masks.train.items() if weight > 0}
    hashes, shown = {}, []
    for number, (name, family) in enumerate(sorted(wanted.items())):
        # one seed per file: adding a family changes no other's masks
        seed = int.from_bytes(hashlib.sha256(f"{masks.seed} {name}".encode()).digest()[:7], "big")
        M = sample(family, masks.count, size, torch.Generator().manual_seed(seed), masks.known_share)
        save_cache(paths.MASKS / name, M)
        hashes[name] = hashlib.sha256(np.packbits(M.numpy() > 0.5).tobytes()).hexdigest()
        if not name.startswith("train/"):
            shown.append(np.uint8(M[torch.arange(SHOWN) % len(M), 0, ..., None].numpy() * 255))
        print(f"masks {number + 1}/{len(wanted)}: {name}, {100 * M.mean():.1f} % of the pixels generated")
    save_png(paths.MASKS / "masks.png", grid(np.concatenate(shown), SHOWN))
    (paths.MASKS / "statistics.json").write_text(
        json.dumps({"size": size, "sha256": hashes}, indent=1) + "\n"
    )


if __name__ == "__main__":
    exit_on_user_error(main)
