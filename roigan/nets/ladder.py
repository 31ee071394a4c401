"""DCGAN's ladders: from a small map to an image by transposed convolutions k5 s2, and back to a vector.

A. Radford, L. Metz, S. Chintala, Unsupervised Representation Learning with Deep Convolutional Generative
Adversarial Networks, ICLR 2016. Group norm stands where the paper has batch norm: an image's result does not
depend on the batch that it comes in. No bias in front of a normalisation.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn

from roigan.config import ModelParams
from roigan.nets.layers import SLOPE, group_norm, wide

STD = 0.02  # of all weights at the start


def steps(size: int) -> int:
    """Doublings from the smallest map: 4 px, or 7 px for images of 28."""
    return (size // (7 if size % 7 == 0 else 4)).bit_length() - 1


def counts(size: int, width: float) -> list[int]:
    """Channels of the maps, the smallest map first: 512, 256, 128, 64 for 64 px."""
    return [wide(64 << i, width) for i in reversed(range(steps(size)))]


def initialise(net: nn.Module) -> None:
    """Weights N(0, 0.02^2), biases 0."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, std=STD)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class Upwards(nn.Sequential):
    """[B, inputs] -> an image [B, channels, size, size] before its tanh.

    The dense layer has a bias although a normalisation follows: without one, the length of its input would
    change nothing.
    """

    def __init__(self, inputs: int, size: int, channels: int, width: float) -> None:
        maps, side = counts(size, width), size >> steps(size)
        layers: list[nn.Module] = [
            nn.Linear(inputs, maps[0] * side**2), nn.Unflatten(1, (maps[0], side, side)), group_norm(maps[0]),
            nn.ReLU(),
        ]  # fmt: skip
        for below, above in pairwise(maps):
            layers += [nn.ConvTranspose2d(below, above, 5, 2, 2, 1, bias=False), group_norm(above), nn.ReLU()]
        super().__init__(*layers, nn.ConvTranspose2d(maps[-1], channels, 5, 2, 2, 1))
        initialise(self)


class Trunk(nn.Sequential):
    """An image [B, channels, size, size] -> numbers [B, outputs]."""

    def __init__(
        self,
        size: int,
        channels: int,
        width: float,
        norm: Callable[[int], nn.Module] = group_norm,
        outputs: int = 1,
    ) -> None:
        maps, side = counts(size, width)[::-1], size >> steps(size)
        layers: list[nn.Module] = [nn.Conv2d(channels, maps[0], 5, 2, 2), nn.LeakyReLU(SLOPE)]
        for below, above in pairwise(maps):
            layers += [nn.Conv2d(below, above, 5, 2, 2, bias=False), norm(above), nn.LeakyReLU(SLOPE)]
        super().__init__(*layers, nn.Flatten(), nn.Linear(maps[-1] * side**2, outputs))
        initialise(self)


class Downwards(Trunk):
    """An image [B, channels, size, size] -> one number [B]."""

    def forward(self, image: Tensor) -> Tensor:
        score: Tensor = super().forward(image)  # type: ignore[no-untyped-call]
        return score[:, 0].float()


class Discriminator(Downwards):
    """D: an image -> a logit [B], higher = more real."""

    def __init__(self, size: int, channels: int, model: ModelParams) -> None:
        super().__init__(size, channels, model.width)
