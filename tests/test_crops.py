"""Squares cut from within images."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from roigan.images.crops import recropped


def ramp(side: int = 16) -> torch.Tensor:
    """[1, 2, side, side]: how far a pixel's middle lies from the left, and from above, in [-1, 1]."""
    place = (torch.arange(side) + 0.5) / side * 2 - 1
    return torch.stack([place.expand(side, side), place[:, None].expand(side, side)])[None]


@pytest.mark.parametrize(("share", "narrower"), [(0.0, 0.9), (0.5, 0.0)])
def test_what_is_not_cut_stays(share: float, narrower: float) -> None:
    x = torch.rand(2, 3, 16, 16) * 2 - 1
    u = torch.tensor([[narrower, 0.2, 0.7]]).expand(2, 3)
    torch.testing.assert_close(recropped(x, u, share), x, atol=1e-5, rtol=0)


def test_a_square_shows_its_part_of_the_image() -> None:
    """Half as wide, at the right edge (0.0 to 1.0 across), in the middle of the height (-0.5 to 0.5)."""
    x = ramp()
    across, down = recropped(x, torch.tensor([[1.0, 1.0, 0.5]]), 0.5)[0]
    torch.testing.assert_close(across[:, :-4], x[0, 0, :, :-4] / 2 + 0.5, atol=1e-2, rtol=0)
    torch.testing.assert_close(down, x[0, 1] / 2, atol=1e-2, rtol=0)


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 0.5), st.integers(0, 2**31))
def test_nothing_leaves_the_range_and_images_do_not_mix(share: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, u = torch.rand(3, 1, 8, 8, generator=generator).round() * 2 - 1, torch.rand(3, 3, generator=generator)
    y = recropped(x, u, share)
    assert y.abs().max() <= 1
    torch.testing.assert_close(recropped(x[1:2], u[1:2], share), y[1:2])


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 0.5), st.integers(0, 2**31))
def test_a_square_never_leaves_the_image(share: float, seed: int) -> None:
    """Places beyond an image's edge would read the same value again and again: a ramp would end."""
    u = torch.rand(4, 3, generator=torch.Generator().manual_seed(seed))
    cut = recropped(ramp().expand(4, 2, 16, 16), u, share)
    steps = cut[:, 0, 8].diff(dim=-1)[:, 4:-4]  # bicubic: at the very edge it hears the pixel beyond
    torch.testing.assert_close(steps, steps.mean(1, keepdim=True).expand_as(steps), atol=0.02, rtol=0)
