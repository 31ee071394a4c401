"""Where the time of a training step goes, by kinds of operation, and the arithmetic by networks.

    python -m benchmarks.step_profile [WIDTH]       (1.0, where none is given: see train_step)

Self time on the device by torch.profiler over a few steps without the lazy penalty; the arithmetic is that of
convolutions, forwards by network and all backwards together.
"""

from __future__ import annotations

import sys
from collections import Counter

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measuring import device, finish, synchronise
from benchmarks.train_step import prepare
from roigan.errors import UserError, exit_on_user_error
from roigan.training.allocator import keep_memory

STEPS = 3
FORWARD, BACKWARD = torch.ops.aten.convolution, torch.ops.aten.convolution_backward
KINDS = {  # by what the names of operations contain, the first that fits
    "convolutions, backward": ("convolution_backward",),
    "convolutions": ("conv",),
    "dense layers": ("mm",),
    "norms": ("norm", "var_mean"),
    "resizing, pooling, padding": ("upsample", "pool", "pad", "interpolate"),
    "optimiser and moving average": ("_foreach", "_fused", "lerp"),
    "copies and layouts": ("copy", "clone", "contiguous", "cat", "index", "gather"),
}
REST = "elementwise and the rest"


def main() -> None:
    try:
        width = float(sys.argv[1]) if sys.argv[1:] else 1.0
    except ValueError:
        raise UserError("usage: python -m benchmarks.step_profile [WIDTH]") from None
    on = device()
    keep_memory()
    batch, precision, nets, step = prepare(on, {"model.width": width, "penalty.every": 1000})
    with FlopCounterMode(display=False) as counter:
        step()
    flops = {name: counter.flop_counts[type(net).__name__][FORWARD] for name, net in nets.items()}
    flops["backward"] = counter.flop_counts["Global"][BACKWARD]
    step()
    activities = [ProfilerActivity.CUDA if on.type == "cuda" else ProfilerActivity.CPU]
    with profile(activities=activities) as seen:
        for _ in range(STEPS):
            step()
        synchronise(on)
    times = Counter[str]()
    for event in seen.key_averages():
        own = event.self_device_time_total if on.type == "cuda" else event.self_cpu_time_total
        times[kind(event.key)] += own
    spent = sum(times.values())
    finish(
        "step_profile", round(STEPS * batch / spent * 1e6, 2), on, width=width, precision=precision,
        share_of_time={name: round(time / spent, 3) for name, time in times.most_common()},
        gflop_per_image={name: round(count / batch / 1e9, 2) for name, count in flops.items()},
    )  # fmt: skip


def kind(operation: str) -> str:
    """Which of KINDS an operation of torch belongs to."""
    return next((name for name, marks in KINDS.items() if any(mark in operation for mark in marks)), REST)


if __name__ == "__main__":
    exit_on_user_error(main)
