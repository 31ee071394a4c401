"""The benchmark of factors, on a painter whose sliders are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks import factors
from roigan.config import ControlParams
from roigan.datasets.synthetic_faces import draw_face
from roigan.images.arrays import to_float
from roigan.images.blending import complete


class Painter:
    """Stands in for a model: c0 sets the size of the eyes, c2 the hue of the irises, c1 does nothing."""

    image_size, sliders = 32, 3

    def latent(self, n: int, generator: torch.Generator, c: Tensor) -> Tensor:
        return c

    def complete(self, x: Tensor, M: Tensor, z: Tensor) -> Tensor:
        middle = np.zeros((len(z), 8))
        middle[:, 2:4] = z[:, [0, 2]]
        return complete(x, to_float(np.stack([draw_face(row, 32) for row in middle])), M)


@pytest.mark.slow
def test_sliders_are_matched_with_their_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factors, "READER", ControlParams(train=2000, steps=300, lr=2e-3))
    monkeypatch.setattr(factors, "FACES", 600)
    table = factors.measure(Painter())
    assert min(table.loc["c0", "eyes"], table.loc["c2", "iris"]) > 0.7
    assert max(table.loc["c1"][:8]) < 0.2
    assert table.loc["told by all", "eyes"] > 0.5 > table.loc["told by all", "smile"]
    assert table["disentanglement"].iloc[0] > 0.2 < table["completeness"].iloc[0]
