"""Batches of images and masks per second, without any network: what training waits for at most.

One core on a CPU. `images` is 6,400 random pictures in memory, as `prepare` packs them.
"""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.measuring import device, finish, rate
from roigan.config import load_params
from roigan.training.batches import Shuffled, make_batch, training_masks
from roigan.training.worker import Place


def main() -> None:
    on, params = device(), load_params()
    torch.set_num_threads(1)
    images = torch.randint(256, (6400, 64, 64, 3), dtype=torch.uint8, device=on)
    n = params.train.batch_size
    order = Shuffled(len(images), n, 0)
    sampler = training_masks(params, Path())
    place = Place("benchmark", Path(), lambda row, folder: None, Path())
    step = 0

    def work() -> None:
        nonlocal step
        make_batch(params, images, order, sampler, step, place)
        step += 1

    finish("data_path", round(rate(work, n, on)), on, batch=n)


if __name__ == "__main__":
    main()
