"""Layers: the equalised learning rate, and what a mask may do."""

import torch

from roigan.nets.layers import Conv2d
from roigan.systems.roigan.layers import Denorm


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
