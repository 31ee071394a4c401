"""Completions per second of one 64x64 image at a time: one core on a CPU; 1/rate is the latency.

One rate per `model.width`; 1 is the thesis.
"""

from __future__ import annotations

import torch

from benchmarks.measuring import device, finish, rate
from roigan.config import load_params
from roigan.masks import sample
from roigan.systems.roigan import Generator

WIDTHS = (0.25, 0.5, 1.0)


def main() -> None:
    on, params = device(), load_params()
    torch.set_num_threads(1)
    rates, milliseconds, parameters = {}, {}, {}
    x = torch.rand(1, 3, 64, 64, device=on) * 2 - 1
    M = sample("ellipse", 1, 64, torch.Generator().manual_seed(0)).to(on)
    z = torch.randn(1, 256, device=on)
    for width in WIDTHS:
        torch.manual_seed(0)
        G = Generator(64, 3, params.model.model_copy(update={"width": width})).to(on).eval()
        with torch.inference_mode():
            rates[str(width)] = round(rate(lambda G=G: G(x, M, z), 1, on, seconds=3.0), 1)  # type: ignore[misc]
        milliseconds[str(width)] = round(1000 / rates[str(width)], 2)
        parameters[str(width)] = sum(p.numel() for p in G.parameters())
    finish("completion", rates, on, milliseconds=milliseconds, parameters=parameters)


if __name__ == "__main__":
    main()
