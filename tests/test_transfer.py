"""Edit transfer: motions and colours that are known come back, and where nothing happens nothing changes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from roigan.images.guided import guided_filter
from roigan.inference.transfer import Edit, along, between, carried, chained, colours, enlarged, sampled

SIZE = 64
GAIN, OFFSET = 0.8, 0.1


def texture(size: int = SIZE, seed: int = 0, channels: int = 3) -> np.ndarray:
    """Smooth and irregular, float32 [size, size, channels] in [0.1, 0.9]."""
    random = np.random.default_rng(seed).normal(size=(size, size, channels)).astype(np.float32)
    smooth = cv2.GaussianBlur(random, (0, 0), size / 24).reshape(random.shape)
    return ((smooth - smooth.min()) / (smooth.max() - smooth.min()) * 0.8 + 0.1).astype(np.float32)


def shift(size: int, dx: float, dy: float) -> np.ndarray:
    return np.broadcast_to(np.float32([dx, dy]), (size, size, 2)).copy()


def inner(field: np.ndarray, margin: int = 8) -> np.ndarray:
    return field[margin:-margin, margin:-margin]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_known_shift_under_a_known_gain(channels: int) -> None:
    a = texture(channels=channels)
    b = sampled(a, shift(SIZE, 1.5, -1)) * GAIN + OFFSET
    edit = between(a, b)
    assert np.abs(inner(edit.u) - [1.5, -1]).mean() < 0.1
    assert np.abs(inner(carried(edit, a) - b)).mean() < 0.02


def test_more_rounds_are_better_where_colours_change_much() -> None:
    a = texture()
    b = sampled(a, shift(SIZE, 1.5, -1))[..., [1, 2, 0]]
    errors = [np.abs(inner(between(a, b, rounds).u) - [1.5, -1]).mean() for rounds in (1, 3)]
    assert errors[1] < 0.7 * errors[0]


def test_seven_steps_are_chained() -> None:
    a = texture()
    frames = [sampled(a, shift(SIZE, 0.6 * t, -0.4 * t)) * (1 - 0.03 * t) + 0.02 * t for t in range(8)]
    edit = along(frames)
    assert np.abs(inner(edit.u, 12) - [4.2, -2.8]).mean() < 0.5
    assert np.abs(inner(carried(edit, a) - frames[-1], 12)).mean() < 0.02


def test_a_chain_is_one_after_the_other() -> None:
    """Whole pixels, so that nothing is interpolated."""
    random = np.random.default_rng(0)
    x = texture(16)
    first, then = (
        Edit(shift(16, *by), random.normal(0, 0.1, (16, 16, 3, 4)).astype(np.float32))
        for by in ((1, 2), (-2, 1))
    )
    both, twice = carried(chained(first, then), x), carried(then, carried(first, x))
    assert np.allclose(inner(both, 4), inner(twice, 4), atol=1e-5)


def test_equal_frames_are_no_edit_and_leave_the_photograph_bit_for_bit() -> None:
    a = texture()
    edit = along([a] * 4)
    assert np.abs(edit.u).max() == 0
    assert np.abs(edit.D).max() == 0
    photograph = texture(201, 1)
    assert np.array_equal(carried(enlarged(edit, photograph), photograph), photograph)


def test_colours_are_fitted_where_they_are() -> None:
    a = texture()
    b = a.copy()
    A = np.float32([[0.5, 0.2, 0], [0, 0.7, 0.1], [0.2, 0, 0.6]])
    b[:, 32:] = b[:, 32:] @ A + np.float32([0.1, 0, 0.2])
    D = colours(a, b, 3.0)
    assert np.abs(D[:, :12]).max() < 1e-6
    fitted = a + np.einsum("hwij,hwj->hwi", D[..., :-1], a) + D[..., -1]
    assert np.abs((fitted - b)[:, 52:]).max() < 0.02


def test_an_edit_is_enlarged_with_its_motion() -> None:
    a, photograph = texture(), texture(256, 1)
    b = sampled(a, shift(SIZE, 1.5, -1)) * GAIN + OFFSET
    y = carried(enlarged(between(a, b), photograph), photograph)
    truth = sampled(photograph, shift(256, 6, -4)) * GAIN + OFFSET
    assert np.abs(inner(y - truth, 32)).mean() < 0.02


def test_the_guided_filter() -> None:
    field, guide = texture(40, 0), texture(40, 1)[..., 0]
    assert np.allclose(guided_filter(np.full_like(field, 0.3), guide, 4, 1e-3), 0.3, atol=1e-6)
    assert np.allclose(guided_filter(field, guide, 0, 1e-3), field, atol=1e-6)
    edge = (np.arange(40) >= 20).astype(np.float32)[None].repeat(40, 0)
    noisy = edge + np.random.default_rng(0).normal(0, 0.1, edge.shape).astype(np.float32)
    kept = guided_filter(noisy[..., None], edge, 4, 1e-3)[..., 0]
    blurred = guided_filter(noisy[..., None], np.zeros_like(edge), 4, 1e-3)[..., 0]
    assert np.abs(kept - edge).max() < 0.1  # as sharp as the guide, less noise
    assert np.abs(blurred - edge).max() > 0.3
