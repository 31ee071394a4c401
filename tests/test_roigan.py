"""What the networks of RoI-GAN promise of themselves."""

from __future__ import annotations

import math

import pytest
import torch

from roigan.config import RoIGANModel
from roigan.corruptions.sampling import sample
from roigan.losses import latent
from roigan.nets.control_reader import Reader
from roigan.nets.layers import Conv2d
from roigan.systems.roigan.networks import Discriminator, Generator


def model(**changes: object) -> RoIGANModel:
    return RoIGANModel(system="roigan", width=0.125, **changes)


def ellipses(count: int, size: int) -> torch.Tensor:
    return sample("ellipse", count, size, torch.Generator().manual_seed(0))


def test_spectral_norm_makes_every_convolution_of_norm_one() -> None:
    D = Discriminator(32, 3, model(spectral_norm=True))
    for _ in range(60):  # a power iteration each
        D(torch.rand(2, 3, 32, 32), ellipses(2, 32))
    D.eval()
    convs = [layer for layer in D.modules() if isinstance(layer, Conv2d)]
    norms = [torch.linalg.matrix_norm((c.weight * c.gain).flatten(1), 2).item() for c in convs]
    assert norms == pytest.approx([1.0] * len(convs), abs=0.05)


def test_a_reader_that_knows_nothing_learns_all_that_it_says() -> None:
    """Row by row: the spread of a code started beyond its bound, where no gradient reaches it."""
    torch.manual_seed(0)
    reader = Reader(16, 1, (2, 3, 5), 0.25, equalised=True)
    reading = reader(torch.rand(8, 1, 16, 16) * 2 - 1, ellipses(8, 16))
    c, k = torch.rand(8, 2) * 2 - 1, torch.randint(5, (8, 3))
    loss = latent.gaussian_nll(c, reading.mu, reading.logvar) + latent.categorical_nll(k, reading.logits)
    loss.backward()
    assert (reader.read.weight.grad.abs().sum(1) > 0).all()
    assert latent.categorical_nll(k, reading.logits).item() == pytest.approx(3 * math.log(5), rel=0.1)


@pytest.mark.parametrize("blend", ["colours", "membrane"])
@pytest.mark.parametrize("shade", [-1.0, 1.0])
def test_noise_beyond_white_and_black_does_no_harm(blend: str, shade: float) -> None:
    """`train.noise` takes images out of [-1, 1]."""
    G = Generator(16, 3, model(blend=blend))
    x, M = torch.full((4, 3, 16, 16), shade) + 0.3 * torch.randn(4, 3, 16, 16), ellipses(4, 16)
    filling = G(x, M, torch.randn(4, 146 + 10 + 100))
    assert filling.G.isfinite().all()
    assert filling.y.isfinite().all()
