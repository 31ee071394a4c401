"""Which arithmetic trains fastest here: a probe of one convolution, forward and backward."""

from __future__ import annotations

import time

import torch
from torch import nn

MARGIN = 1.5  # bfloat16 must be this much faster: on the machines seen it is several times faster or slower


def choose_precision(wish: str, device: torch.device) -> tuple[str, str]:
    """("fp32" | "bf16", the reason in words). bf16 means autocast with channels_last tensors.

    bfloat16 pays only together with channels_last, and float32 hardly gains from it, so two candidates are
    measured; the margin keeps the choice the same from run to run.
    """
    if wish != "auto":
        return wish, "as params.yaml says"
    fp32, bf16 = _images_per_second(device, False), _images_per_second(device, True)
    chosen = "bf16" if bf16 > MARGIN * fp32 else "fp32"
    return chosen, f"bf16 with channels_last runs at {bf16 / fp32:.2g} times the speed of fp32 here"


def _images_per_second(device: torch.device, half: bool, seconds: float = 0.3) -> float:
    layer = nn.Conv2d(64, 64, 3, padding=1).to(device)
    x = torch.ones(8, 64, 32, 32, device=device, requires_grad=True)
    if half:
        layer = layer.to(memory_format=torch.channels_last)
    count, began = 0, 0.0
    while not began or time.monotonic() - began < seconds:
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            layer(x).float().sum().backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        count += 1
        if not began:  # the first call compiles and allocates
            count, began = 0, time.monotonic()
    return count * len(x) / (time.monotonic() - began)
