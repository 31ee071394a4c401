"""Completions per second of one 64x64 image at a time: one core on a CPU; 1/rate is the latency.

One rate per `model.width`; 1 is the thesis.
"""

from __future__ import annotations

import torch

from benchmarks.measuring import device, finish, rate
from roigan.config import Params, changed, load_params
from roigan.corruptions.sampling import sample
from roigan.nets.latent import draw_latent
from roigan.systems.by_name import SYSTEMS

WIDTHS = (0.25, 0.5, 1.0)


def main() -> None:
    on, params = device(), load_params()
    torch.set_num_threads(1)
    rates, milliseconds, parameters = {}, {}, {}
    for width in WIDTHS:
        wanted = {"model.width": width, "data.image_size": 64, "data.channels": 3}
        key = str(width)
        rates[key], parameters[key] = cost(changed(params, wanted), on)
        milliseconds[key] = round(1000 / rates[key], 2)
    finish("completion", rates, on, milliseconds=milliseconds, parameters=parameters)


def cost(params: Params, on: torch.device) -> tuple[float, int]:
    """(completions per second of one image at a time, parameters of G)."""
    size, channels, generator = params.data.image_size, params.data.channels, torch.Generator().manual_seed(0)
    G = SYSTEMS[params.model.system].networks["G"](size, channels, params.model).to(on).eval()
    x = torch.rand(1, channels, size, size, device=on) * 2 - 1
    M = sample("ellipse", 1, size, generator).to(on)
    z = draw_latent(1, params.model.latent, generator).to(on)
    with torch.inference_mode():
        return round(rate(lambda: G(x, M, z), 1, on, seconds=3.0), 1), sum(p.numel() for p in G.parameters())


if __name__ == "__main__":
    main()
