"""Masks per second and family, 64x64, in batches as training takes them; one core on a CPU."""

from __future__ import annotations

import torch

from benchmarks.measuring import device, finish, rate
from roigan.corruptions.families import FAMILIES
from roigan.corruptions.sampling import draw

SIZE = 64


def main() -> None:
    on = device()
    torch.set_num_threads(1)
    batch = 65_536 if on.type == "cuda" else 256
    rates = {}
    for family in FAMILIES:
        draws = FAMILIES[family].draws(SIZE)
        n = min(batch, 2**28 // draws) if on.type == "cuda" else batch

        def work(family: str = family, n: int = n, draws: int = draws) -> None:
            draw(family, torch.rand(n, draws, device=on), SIZE)

        rates[family] = round(rate(work, n, on, seconds=2.0))
    finish("masks", rates, on, batch=batch)


if __name__ == "__main__":
    main()
