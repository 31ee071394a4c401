"""Images per second of a whole step (G's turn and D's) of the thesis' full configuration.

Width 1, 64x64, the perceptual loss on a network of VGG16's size (random weights: only speed is measured),
batch 16 on a CPU and 64 on a GPU. In turns with it, step by step, a second process plays the same steps
plainly: in float32, on memory as the system gives it. What the two have in common, other work and a clock
that drifts, their ratio does not see.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measuring import device, duration, finish, peak_flops
from roigan.config import changed, load_params
from roigan.corruptions.corruption import Corruption
from roigan.corruptions.sampling import Sampler
from roigan.features.network import FeatureNetwork
from roigan.features.pretrained import ImageNetTrunk, Vgg16
from roigan.game import Batch, Nets, StepRandom, play
from roigan.nets.precision import choose_precision
from roigan.systems.by_name import SYSTEMS
from roigan.systems.interface import Given
from roigan.training.allocator import keep_memory

THESIS = {"model.width": 1.0}
COLOUR = {"data.image_size": 64, "data.channels": 3}
ROUNDS, WARM_UP = 12, 2


def main() -> None:
    spawn = get_context("spawn")
    ours, its = spawn.Pipe()
    other = spawn.Process(target=plain, args=(its,), daemon=True)
    other.start()
    on = device()
    keep_memory()
    batch, precision, _, step = prepare(on, THESIS)
    with FlopCounterMode(display=False) as counter:
        step()
    flops = counter.get_total_flops() / batch
    times, plainly = [], []
    for _ in range(WARM_UP + ROUNDS):
        ours.send(True)
        plainly.append(ours.recv())
        times.append(duration(step, on))
    ours.send(False)
    other.join()  # or it would take its share of the peak
    images, before = (batch / usual(each[WARM_UP:]) for each in (times, plainly))
    peak = peak_flops(on, torch.bfloat16 if precision == "bf16" else torch.float32)
    finish(
        "train_step", round(images, 2), on, precision=precision, batch=batch,
        plain_rate=round(before, 2), times_plain=round(images / before, 2),
        gflop_per_image=round(flops / 1e9, 1), share_of_peak=round(images * flops / peak, 3),
        peak_gflops=round(peak / 1e9),
    )  # fmt: skip


def usual(times: list[float]) -> float:
    """The mean over one round of steps with and without D's lazy penalty, of each step's median."""
    every = load_params().penalty.every
    return statistics.mean(statistics.median(times[i::every]) for i in range(every))


def plain(asked: Connection) -> None:
    """Play a step in float32 whenever asked, and send its seconds."""
    on = device()
    step = prepare(on, THESIS | {"train.precision": "fp32"}).step
    while asked.recv():
        asked.send(duration(step, on))


class Prepared(NamedTuple):
    """What is measured."""

    batch: int
    precision: str
    nets: dict[str, torch.nn.Module]
    step: Callable[[], None]
    """Plays the next one."""


def prepare(on: torch.device, changes: dict[str, Any]) -> Prepared:
    """The default parameters, changed, on a device, with the batch and the precision that suit it."""
    n = 64 if on.type == "cuda" else 16
    params = changed(load_params(), {**COLOUR, "train.batch_size": n, **changes})
    precision, _ = choose_precision(params.train.precision, on)
    torch.manual_seed(0)
    perceptual = FeatureNetwork("vgg16", ImageNetTrunk(Vgg16())).to(on)
    system = SYSTEMS[params.model.system](params, Given(perceptual))
    for net in [*system.nets.values(), perceptual]:
        net.to(on, memory_format=torch.channels_last)
    players, nets = system.players(), Nets(system.nets)
    sampler = Sampler(dict(params.masks.train), 64)
    count = 1  # a step without the lazy penalty, which the counter cannot follow
    x = (torch.rand(n, 64, 64, 3, device=on) * 2 - 1).movedim(-1, 1)

    def autocast():  # type: ignore[no-untyped-def]
        return torch.autocast(on.type, torch.bfloat16, enabled=precision == "bf16")

    def step() -> None:
        nonlocal count
        draws = StepRandom(0, count, n, device=on)
        M = sampler(draws.uniform("M", sampler.draws))
        batch = Batch(x, Corruption.region("identity", M), draws, count, x)
        play(players, nets, lambda turn: batch, autocast)
        count += 1

    return Prepared(n, precision, {**system.nets, "perceptual": perceptual.trunk}, step)


if __name__ == "__main__":
    main()
