"""The networks of WGAN-GP: DCGAN's ladder, or residual blocks as in the public code of the paper.

I. Gulrajani et al., Improved Training of Wasserstein GANs, NIPS 2017 (appendix; `gan_64x64.py`). The penalty
asks for a critic that treats every image alone, so its normalisation is that of a layer: one group. In G,
group norm stands where the paper has batch norm.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from roigan.config.systems.wgan import CriticModel, WGANModel
from roigan.nets.ladder import Downwards, Upwards, counts, steps
from roigan.nets.layers import group_norm, wide


def layer_norm(channels: int) -> nn.GroupNorm:
    """Over all places and channels of an image, with a scale and a shift per channel."""
    return nn.GroupNorm(1, channels)


class Block(nn.Module):
    """norm, ReLU, conv 3x3, norm, ReLU, conv 3x3; beside it conv 1x1, added. Twice or half the side."""

    def __init__(self, inputs: int, outputs: int, up: bool, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        inner = outputs if up else inputs
        self.up: nn.Module = nn.Upsample(scale_factor=2) if up else nn.Identity()
        self.down: nn.Module = nn.Identity() if up else nn.AvgPool2d(2)
        self.before = nn.Sequential(norm(inputs), nn.ReLU())
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, inner, 3, padding=1, bias=False),
            norm(inner),
            nn.ReLU(),
            nn.Conv2d(inner, outputs, 3, padding=1),
        )
        self.beside = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, 2H, 2W] or [B, outputs, H/2, W/2]."""
        # a convolution 1x1 commutes with both ways of resizing: it runs where the map is smaller
        beside: Tensor = self.up(self.beside(self.down(x)))
        return beside + self.down(self.layers(self.up(self.before(x))))


def maps(size: int, width: float) -> list[int]:
    """Channels from the smallest map to the image's size: 512, 512, 256, 128, 64 for 64 px."""
    ladder = counts(size, width)
    return [wide(64 << (steps(size) - 1), width), *ladder]


class ResidualG(nn.Sequential):
    """[B, noise] -> [B, channels, size, size] before its tanh."""

    def __init__(self, noise: int, size: int, channels: int, width: float) -> None:
        sides, side = maps(size, width), size >> steps(size)
        super().__init__(
            nn.Linear(noise, sides[0] * side**2),
            nn.Unflatten(1, (sides[0], side, side)),
            *(Block(below, above, True, group_norm) for below, above in pairwise(sides)),
            group_norm(sides[-1]),
            nn.ReLU(),
            nn.Conv2d(sides[-1], channels, 3, padding=1),
        )


class ResidualD(nn.Sequential):
    """An image [B, channels, size, size] -> [B, 1]."""

    def __init__(self, size: int, channels: int, width: float) -> None:
        sides, side = maps(size, width)[::-1], size >> steps(size)
        super().__init__(
            nn.Conv2d(channels, sides[0], 3, padding=1),
            *(Block(above, below, False, layer_norm) for above, below in pairwise(sides)),
            nn.Flatten(),
            nn.Linear(sides[-1] * side**2, 1),
        )


class Generator(nn.Module):
    """G: z -> an image."""

    def __init__(self, size: int, channels: int, model: WGANModel) -> None:
        super().__init__()
        kind = {"plain": Upwards, "residual": ResidualG}[model.network]
        self.layers = kind(model.noise, size, channels, model.width)

    def forward(self, z: Tensor) -> Tensor:
        """z: [B, noise] of N(0, I); returns [B, C, S, S] in [-1, 1]."""
        return torch.tanh(self.layers(z)).to(z.dtype)  # out of autocast


class Critic(nn.Module):
    """D: an image -> its value [B], higher = more real."""

    def __init__(self, size: int, channels: int, model: CriticModel) -> None:
        super().__init__()
        self.layers: nn.Module = (
            Downwards(size, channels, model.width, layer_norm)
            if model.network == "plain"
            else nn.Sequential(ResidualD(size, channels, model.width), nn.Flatten(0))
        )

    def forward(self, image: Tensor) -> Tensor:
        """image: [B, C, S, S]; no image's value depends on the others."""
        value: Tensor = self.layers(image)
        return value.float()

    @property
    def head(self) -> nn.Linear:
        """The layer whose output is the value."""
        return [layer for layer in self.modules() if isinstance(layer, nn.Linear)][-1]

    def hidden(self, image: Tensor) -> Tensor:
        """image: [B, C, S, S] -> what the head reads [B, F]."""
        (ladder,) = [net for net in self.modules() if self.head in net.children()]
        for layer in list(ladder.children())[:-1]:
            image = layer(image)
        return image
