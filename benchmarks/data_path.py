"""Batches of images and masks per second, without any network: what training waits for at most.

One core on a CPU. `images` is 6,400 random pictures in memory, as `prepare` packs them.
"""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.measuring import device, finish, rate
from roigan.config import load_params
from roigan.training.batches import Batches, training_masks
from roigan.training.worker import Worker


def main() -> None:
    on, params = device(), load_params()
    torch.set_num_threads(1)
    images = torch.randint(256, (6400, 64, 64, 3), dtype=torch.uint8, device=on)
    n = params.train.batch_size
    worker = Worker("benchmark", Path(), lambda row, folder: None, Path())
    batches = Batches(params, images, None, training_masks(params, Path()), worker)
    step = 0

    def work() -> None:
        nonlocal step
        batches.draw(step)
        step += 1

    finish("data_path", round(rate(work, n, on)), on, batch=n)


if __name__ == "__main__":
    main()
