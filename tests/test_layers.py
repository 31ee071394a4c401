"""Layers: the continuation of the surroundings, the equalised learning rate, and what a mask may do."""

import torch

from roigan.layers import Conv2d, Denorm, continuation
from roigan.masks import FAMILIES, sample


def test_known_pixels_stay_and_a_plain_picture_is_continued() -> None:
    x = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    plain = torch.tensor([0.3, -0.7, 1.0])[:, None, None].expand(3, 32, 32).expand(4, 3, 32, 32)
    for family in FAMILIES:
        M = sample(family, 4, 32, torch.Generator().manual_seed(1))
        known = (M == 0).expand_as(x)
        assert torch.equal(continuation(x, M)[known], x[known]), family
        assert torch.allclose(continuation(plain, M), plain, atol=0.02), family


def test_what_lies_in_the_region_does_not_matter() -> None:
    M = sample("ellipse", 2, 32, torch.Generator().manual_seed(2))
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(continuation(x, M), continuation(x * (1 - M), M))


def test_an_image_without_known_pixels_becomes_grey() -> None:
    x, M = torch.rand(1, 3, 16, 16), torch.ones(1, 1, 16, 16)
    assert torch.equal(continuation(x, M), torch.zeros_like(x))


def test_equalised_and_plain_weights_start_alike() -> None:
    """(3.20): the same scale of outputs, by a factor in the pass or by the initial weights."""
    x = torch.randn(64, 32, 8, 8)
    deviations = [Conv2d(32, 64, 3, equalised=equalised)(x).std() for equalised in (True, False)]
    assert torch.allclose(deviations[0], deviations[1], rtol=0.1)
    layer = Conv2d(32, 64, 3, equalised=True)
    assert abs(layer.weight.std().item() - 1) < 0.05
    assert abs(layer.gain - (2 / (32 * 9)) ** 0.5) < 1e-9


def test_a_style_changes_the_denormalisation_and_its_absence_does_not() -> None:
    x, M = torch.randn(2, 8, 8, 8), torch.ones(2, 1, 8, 8)
    styled = Denorm(8, 16, 12, equalised=True)
    assert not torch.allclose(styled(x, M, torch.randn(2, 12)), styled(x, M, torch.randn(2, 12)))
    assert Denorm(8, 16, None, equalised=True)(x, M).shape == x.shape
