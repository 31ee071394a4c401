"""Corruptions: the identity is a region, Lab keeps what it must, and the colour space is the field's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from roigan.corruptions.corruption import SPACES, Corruption
from roigan.images.arrays import to_float, to_uint8
from roigan.images.blending import complete
from roigan.images.colours import lab, rgb


def colour(*levels: float) -> Tensor:
    return (torch.tensor(levels, dtype=torch.float64) * 2 - 1).view(1, 3, 1, 1)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((1, 1, 1), (100, 0, 0)),
        ((0.5, 0.5, 0.5), (53.39, 0, 0)),
        ((1, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 1, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 1), (32.30, 79.19, -107.86)),
        ((0, 0, 0), (0, 0, 0)),
    ],
)
def test_known_colours(levels: tuple[float, ...], expected: tuple[float, ...]) -> None:
    assert lab(colour(*levels)).flatten().tolist() == pytest.approx(expected, abs=0.02)


def test_there_and_back_is_exact_in_eight_bits() -> None:
    numbers = np.arange(0, 2**24, 997)
    colours = np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], -1).astype(np.uint8)  # [N, 3]
    x = to_float(colours[None, None])  # [1, 3, 1, N]
    assert np.array_equal(to_uint8(rgb(lab(x)))[0, 0], colours)


def test_opencv_agrees() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    theirs = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    ours = lab(to_float(image[None]))[0].movedim(0, -1).numpy()
    assert np.abs(ours - theirs).max() < 0.5


@pytest.mark.parametrize("level", [-1.0, 1.0, 0.0])
def test_gradients_are_finite(level: float) -> None:
    x = torch.full((1, 3, 2, 2), level, requires_grad=True)
    rgb(lab(x) + torch.tensor([0.0, 150.0, -150.0]).view(1, 3, 1, 1)).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_colours_that_do_not_exist_keep_lightness_and_hue() -> None:
    generator = torch.Generator().manual_seed(0)
    L = torch.rand(1, 1, 64, 64, generator=generator) * 100
    ab = (torch.rand(1, 2, 64, 64, generator=generator) * 2 - 1) * 110
    found = lab(to_float(to_uint8(rgb(torch.cat([L, ab], 1)))))
    assert (found[:, :1] - L).abs().max() < 0.5
    saturated = (found[:, 1:].norm(dim=1) > 40) & (L[:, 0] > 15)  # eight bits blur the hue of near-greys
    assert saturated.float().mean() > 0.3
    cosine = torch.cosine_similarity(found[:, 1:], ab, dim=1)[saturated]
    assert torch.rad2deg(torch.acos(cosine.clamp(-1, 1))).max() < 1.5


@pytest.fixture
def images() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x, G = to_float(torch.randint(256, (2, 2, 16, 16, 3), generator=generator, dtype=torch.uint8).numpy())
    R = (torch.rand(2, 1, 16, 16, generator=generator) > 0.6).float()
    return x, G, R


def test_the_identity_is_a_region_bit_for_bit(images: tuple[Tensor, Tensor, Tensor]) -> None:
    x, G, R = images
    corruption = Corruption.region("identity", R)
    y = corruption.complete(x, G)
    assert torch.equal(y, complete(x, G, R))
    assert torch.equal(corruption.M, R)
    assert corruption.residual(y, x).max() == 0
    assert torch.equal(corruption.known(x), (1 - R) * x)


def test_recolouring_keeps_lightness_inside_and_everything_outside(
    images: tuple[Tensor, Tensor, Tensor],
) -> None:
    x, G, R = images
    corruption = Corruption.region("lab", R)
    y = corruption.complete(x, G)
    outside = (R < 0.5).expand_as(x)
    assert torch.equal(y[outside], x[outside])
    assert not torch.equal(y, x)
    stored = to_float(to_uint8(y))
    assert 50 * corruption.residual(stored, x)[:, 0].max() < 0.5  # of L's 100
    assert corruption.residual(stored, x)[:, 1:].max() == 0


def test_without_colours_a_picture_is_grey(images: tuple[Tensor, Tensor, Tensor]) -> None:
    x, _, R = images
    grey = Corruption.region("lab", torch.ones_like(R)).joined(x, torch.zeros_like(x))
    assert (grey.amax(1) - grey.amin(1)).max() < 1e-4


@pytest.mark.parametrize("space", SPACES)
def test_what_lies_under_M_is_not_known(space: str, images: tuple[Tensor, Tensor, Tensor]) -> None:
    x, other, R = images
    corruption = Corruption.region(space, R)
    # the other picture, with x's known coordinates: in Lab it keeps x's lightness inside the region
    twin = corruption.complete(x, other)
    tolerance = 0.0 if space == "identity" else 2e-5  # T^-1 and T round
    assert (corruption.known(twin) - corruption.known(x)).abs().max() <= tolerance
