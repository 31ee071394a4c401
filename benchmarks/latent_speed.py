"""Seconds of a latent search to the loss that one image at a time, in float32, reaches in 1,500 steps.

    python -m benchmarks.latent_speed MODEL

In a project folder in which `prepare` has run. The public way (Yeh et al. 2017; Adam at 0.01, as the essay's
code has it) is timed step by step on one image and searched in a batch, which finds the same. Ours: Adam at
0.05, a batch, bfloat16 where that is faster. Both on one thread, with the weights of Yeh et al.
"""

from __future__ import annotations

import sys
import time

import torch

from benchmarks.measuring import device, finish
from roigan.config import SearchParams
from roigan.corruptions.sampling import sample
from roigan.errors import exit_on_user_error
from roigan.files import paths
from roigan.images.arrays import load_split, to_float
from roigan.inference.latent_search import LatentSearch
from roigan.systems.model import Model

IMAGES, STEPS, TIMED = 16, 1500, 60
YEH = SearchParams(alpha=1.0, beta=0.0, eta=0.003)
PUBLIC = YEH.model_copy(update={"lr": 0.01, "steps": STEPS, "precision": "fp32"})


def main() -> None:
    torch.set_num_threads(1)
    model = Model.load(sys.argv[1])
    x = to_float(load_split(paths.PREPARED, "test")[:IMAGES])
    generator = torch.Generator().manual_seed(0)
    M = sample("centre", IMAGES, model.image_size, generator)
    z, x = model.latent(IMAGES, generator), x * (1 - M)
    aim = LatentSearch(model, PUBLIC).find(x, M, z).loss  # [B]
    ours = LatentSearch(model, YEH.model_copy(update={"steps": STEPS})).find(x, M, z)
    reached = (ours.trace <= aim).float().mean(1)  # share of the images, after every look
    steps = {share: int((reached >= share).nonzero()[0]) for share in (0.5, 0.9) if reached[-1] >= share}
    alone = _seconds(model, PUBLIC, x[:1], M[:1], z[:1])
    batch = _seconds(model, YEH, x, M, z) / IMAGES
    finish(
        "latent_speed", {"public way": 1 / alone, "ours": 1 / batch}, device(),
        unit="steps of an image per second", times_the_steps_per_second=round(alone / batch, 2),
        steps_to_the_public_loss=steps,
        times_the_images_per_second={s: round(STEPS * alone / (n * batch), 1) for s, n in steps.items()},
    )  # fmt: skip


def _seconds(model: Model, params: SearchParams, x: torch.Tensor, M: torch.Tensor, z: torch.Tensor) -> float:
    """Of a step, the best of three."""
    search = LatentSearch(model, params.model_copy(update={"steps": TIMED}))
    search.find(x, M, z)
    times = []
    for _ in range(3):
        began = time.process_time()
        search.find(x, M, z)
        times.append((time.process_time() - began) / (TIMED + 1))
    return min(times)


if __name__ == "__main__":
    exit_on_user_error(main)
