"""Layers: equalised convolutions, gated convolutions, the RoI denormalisation and the upsample block."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2  # of every LeakyReLU in the thesis
GROUP = 8  # channels per group of `group_norm`


def lrelu(x: Tensor) -> Tensor:
    """LeakyReLU with the thesis' slope."""
    return F.leaky_relu(x, SLOPE)


def instance_norm(x: Tensor) -> Tensor:
    """(x - mean) / standard deviation over the places of each channel; x: [B, C, H, W]."""
    return F.instance_norm(x)


def group_norm(channels: int) -> nn.GroupNorm:
    """Over places and the channels of a group, with a scale and a shift.

    Where papers have batch norm: an image's result does not depend on how a batch is shared among ranks.
    """
    return nn.GroupNorm(channels // GROUP, channels)


def wide(channels: int, width: float) -> int:
    """A paper's number of channels, scaled, in whole groups of the normalisation."""
    return GROUP * max(1, round(channels * width / GROUP))


def initialise(layer: nn.Conv2d | nn.Linear, equalised: bool) -> float:
    """He initialisation, at run time (equalised learning rate (3.20), Karras et al. 2018) or at the start.

    Returns the factor of the weights in every forward pass. Equalised weights are N(0, 1) with the factor
    sqrt(2 / fan_in), so that Adam's steps have the same relative size in all layers.
    """
    he = math.sqrt(2 / layer.weight[0].numel())
    nn.init.normal_(layer.weight, std=1.0 if equalised else he)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return he if equalised else 1.0


class Conv2d(nn.Conv2d):
    """A convolution with He-initialised, optionally equalised weights; [B, in, H, W] -> [B, out, H', W']."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0, *,
        equalised: bool, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(inputs, outputs, kernel, stride, padding, bias=bias)
        self.gain = initialise(self, equalised)

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.weight * self.gain, self.bias)


class Linear(nn.Linear):
    """A linear layer with He-initialised, optionally equalised weights; [B, in] -> [B, out]."""

    def __init__(self, inputs: int, outputs: int, *, equalised: bool) -> None:
        super().__init__(inputs, outputs)
        self.gain = initialise(self, equalised)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.gain, self.bias)
