"""Which arithmetic trains fastest here: a probe of two convolutions, forward and backward."""

from __future__ import annotations

import time

import torch
import torch.distributed as dist
from torch import nn

MARGIN = 1.5  # bfloat16 must be this much faster: the machines seen gain a factor of two or more, or lose
SECONDS = 0.6


def choose_precision(wish: str, device: torch.device, world: int = 1) -> tuple[str, str]:
    """("fp32" | "bf16", the reason in words). bf16 means autocast; both run on channels_last tensors.

    Ranks decide alike: what rank 0 measures counts, since a group that mixes the two would be neither.
    """
    if wish != "auto":
        return wish, "as params.yaml says"
    gain = torch.tensor(_gain_by_half(device), device=device)
    if world > 1:
        dist.broadcast(gain, 0)
    chosen = "bf16" if gain.item() > MARGIN else "fp32"
    return chosen, f"convolutions run at {gain.item():.2g} times the speed of fp32 in bf16 here"


@torch.enable_grad()
def _gain_by_half(device: torch.device) -> float:
    """How many times as fast: best against best, taken in turns, so that other work disturbs both alike."""
    layers = nn.Sequential(*[nn.Conv2d(64, 64, 3, padding=1) for _ in range(2)])
    layers.to(device).to(memory_format=torch.channels_last)
    x = torch.ones(16, 64, 32, 32, device=device).to(memory_format=torch.channels_last)

    def seconds(half: bool) -> float:
        began = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            layers(x).float().sum().backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    for half in (False, True):
        seconds(half)  # the first call compiles and allocates
    rounds: list[tuple[float, float]] = []
    end = time.monotonic() + SECONDS
    while not rounds or time.monotonic() < end:
        rounds.append((seconds(False), seconds(True)))
    return min(fp32 for fp32, _ in rounds) / min(bf16 for _, bf16 in rounds)
