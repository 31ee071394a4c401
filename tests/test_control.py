"""The examination of controls: it finds those that act, and none where there are none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from roigan.config import ControlParams
from roigan.evaluation.control import COLUMNS, Examined, examine
from roigan.features.local import LocalTrunk
from roigan.features.network import FeatureNetwork
from roigan.images.blending import complete
from tests.conftest import drawn_faces

PARAMS = ControlParams(train=600, test=200, images=4, width=0.125, steps=400, batch_size=32, lr=3e-3)


class Painter:
    """Stands in for a model: c0 sets how red the region is, k0 how bright, the noise a little of the blue;
    c1 and k1 do nothing."""

    image_size, channels = 16, 3
    noise, sliders, codes, values = 1, 2, 2, 2

    def latent(
        self, n: int, generator: torch.Generator, c: Tensor | None = None, k: Sequence[int] | None = None
    ) -> Tensor:
        z0 = torch.randn(n, 1, generator=generator)
        assert c is not None
        c, k_all = c.expand(n, 2), torch.as_tensor(k).float().expand(n, 2)
        return torch.cat([c, k_all, z0], 1)

    def complete(self, x: Tensor, M: Tensor, z: Tensor) -> Tensor:
        filling = torch.zeros_like(x)
        filling[:, 0] = 0.8 * z[:, 0, None, None]
        filling[:, 1:] = 1.4 * z[:, 2, None, None, None] - 0.7
        filling[:, 2] += 0.01 * z[:, 4, None, None]
        return complete(x, filling, M)


@pytest.fixture(scope="module")
def examined() -> Examined:
    torch.manual_seed(0)
    features = FeatureNetwork("local", LocalTrunk(3, 4))
    train, test = drawn_faces(60, 16, 0), drawn_faces(30, 16, 1)
    return examine(Painter(), train, test, features, PARAMS)


def test_what_acts_is_read_and_what_does_not_is_not(examined: Examined) -> None:
    table = examined.table.set_index("control")
    assert list(examined.table.columns) == COLUMNS
    assert table.loc["c0", "read"] > 0.75
    assert table.loc["k0", "read"] > 0.95
    assert table.loc["c1", "read"] < 0.1
    assert abs(table.loc["k1", "read"] - table.loc["k1", "chance"]) < 0.15
    assert examined.independence[0, 0] > 0.85
    assert examined.independence[1].max() < 0.3


def test_effects_have_a_closed_form(examined: Examined) -> None:
    """c0 moves one channel of three from -0.8 to 0.8, on the scale [-1, 1]; k0 two by 1.4."""
    table = examined.table.set_index("control")
    assert table.loc["c0", "effect"] == pytest.approx(0.8 / 3, abs=1e-4)
    assert table.loc["k0", "effect"] == pytest.approx(0.7 * 2 / 3, abs=1e-4)
    assert table.loc["c1", "effect"] == table.loc["k1", "effect"] == 0
    assert (table["leakage"] == 0).all()
    assert table.loc["c0", "consistency"] > 0.5  # the same change in every image
    assert np.isfinite(table.drop("z0").to_numpy()).all()


def test_the_effect_of_the_noise_alone(examined: Examined) -> None:
    """A hundredth of z0 in one channel of three, on the scale [-1, 1], between two draws of it."""
    n = min(PARAMS.images, 30)
    draws = [torch.randn(n, 1, generator=torch.Generator().manual_seed(PARAMS.seed + i)) for i in range(8)]
    apart = torch.stack([(draws[i] - draws[i + 1]).abs().mean() for i in range(0, 8, 2)]).mean().item()
    noise = examined.table.set_index("control").loc["z0"]
    assert noise["effect"] == pytest.approx(0.01 * apart / 2 / 3, rel=1e-3)
    assert np.isnan(noise["read"])
