"""Pseudo-anomalies: every way spoils every image, in its own way, and by nothing but the seed."""

from __future__ import annotations

import pytest
import torch

from roigan.images.spoiling import NEAR, halved, joined, pasted, spoilt, turned


def pictures(count: int, channels: int = 1) -> torch.Tensor:
    """Smooth blobs, each at a place of its own: [count, channels, 28, 28] in [-1, 1]."""
    generator = torch.Generator().manual_seed(1)
    centre = 6 + 16 * torch.rand(count, channels, 2, 1, generator=generator)
    apart = (torch.arange(28) - centre).square()  # [count, channels, 2, 28]
    return 2 * (-(apart[:, :, 0, :, None] + apart[:, :, 1, None, :]) / 30).exp() - 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("way", NEAR)
def test_every_way_changes_images_and_depends_on_the_seed(way: str, channels: int) -> None:
    x = pictures(24, channels)
    before = x.clone()
    y, same, other = (NEAR[way](x, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(x, before)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    assert y.abs().max() <= 1
    assert torch.equal(y, same)
    assert not torch.equal(y, other)
    assert ((y - x).flatten(1).abs().amax(1) > 0.1).float().mean() > 0.7


def test_halves_and_squares_hold_nothing_new() -> None:
    """Of flat images of levels of their own: two levels in a halved one; of the rolled, none is new."""
    levels = torch.linspace(-1, 1, 12)
    x = levels[:, None, None, None].expand(12, 1, 28, 28)
    y = halved(x, torch.Generator().manual_seed(0))
    for image, level in zip(y, levels, strict=True):
        assert len(image.unique()) == 2  # none is another's half twice over
        assert 0.2 < (image == level).float().mean() < 0.8
    assert torch.equal(pasted(x, torch.Generator().manual_seed(0)), x)


def test_two_at_once_are_two_different_ones() -> None:
    x = pictures(9)
    y = joined(x, torch.Generator().manual_seed(0))
    for image, own in zip(y, x, strict=True):
        partners = [i for i, other in enumerate(x) if torch.equal(torch.maximum(own, other), image)]
        assert len(partners) == 1
        assert not torch.equal(x[partners[0]], own)


def test_turns_are_quarters() -> None:
    x = pictures(40)
    y = turned(x, torch.Generator().manual_seed(0))
    found = [
        next(k for k in range(4) if torch.equal(own.rot90(k, (-2, -1)), image))
        for image, own in zip(y, x, strict=True)
    ]
    assert set(found) == {1, 2, 3}


def test_ways_are_drawn_evenly_and_none_is_left_out() -> None:
    x = pictures(700)
    y = spoilt(x, torch.Generator().manual_seed(0))
    assert y.shape == x.shape
    assert ((y - x).flatten(1).abs().amax(1) > 0.05).float().mean() > 0.9
    assert not torch.equal(y, spoilt(x, torch.Generator().manual_seed(1)))
    assert spoilt(x[:1], torch.Generator().manual_seed(0)).shape == x[:1].shape
