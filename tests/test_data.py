"""Packed images: there and back without loss."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from roigan.images.arrays import to_float, to_uint8
from roigan.training.batches import Shuffled


def test_every_level_comes_back() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    assert to_float(levels).min() == -1
    assert to_float(levels).max() == 1
    assert np.array_equal(to_uint8(to_float(levels)), levels)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=3, max_size=5), st.integers(0, 2**31 - 1))
def test_images_of_any_shape_come_back(shape: list[int], seed: int) -> None:
    images = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    packed = to_float(images)
    assert packed.shape == (*shape[:-3], shape[-1], *shape[-3:-1])
    assert np.array_equal(to_uint8(packed), images)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_an_epoch_shows_every_image_at_most_once(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 60))
    batch = data.draw(st.integers(1, count))
    order = Shuffled(count, batch, data.draw(st.integers(0, 2**31 - 1)))
    epoch = data.draw(st.integers(0, 3))
    steps = range(epoch * order.steps_per_epoch, (epoch + 1) * order.steps_per_epoch)
    seen = torch.cat([order.indices(step) for step in steps])
    assert len(seen) == len(seen.unique()) == count // batch * batch
    assert 0 <= seen.min() <= seen.max() < count
