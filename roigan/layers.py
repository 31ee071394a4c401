"""Layers: equalised convolutions, gated convolutions, the RoI denormalisation and the upsample block."""

from __future__ import annotations

import math

import torch
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

    Where papers have batch norm: an image's result does not hang on how a batch is shared among ranks.
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


class GatedConv2d(nn.Module):
    """InstanceNorm(LReLU(conv) * sigmoid(gate)), k4 s2 p1: halves the side (Yu et al. 2019; section 3.5)."""

    def __init__(self, inputs: int, outputs: int, *, equalised: bool) -> None:
        super().__init__()
        self.conv = Conv2d(inputs, 2 * outputs, 4, 2, 1, equalised=equalised)  # features and gates at once

    def forward(self, x: Tensor) -> Tensor:
        features, gate = self.conv(x).chunk(2, dim=1)
        return instance_norm(lrelu(features) * torch.sigmoid(gate))


class Denorm(nn.Module):
    """The denormalisation layer (3.8): InstanceNorm(x), then scale and shift made from the mask.

    With a style, the mask's features are first modulated by (z1, z2) = A f(z) + b: h*(1+z1) + z2. Without
    one, the layer depends on the mask alone. The thesis prints gamma and z1 without the 1+.
    """

    def __init__(self, channels: int, hidden: int, style: int | None, *, equalised: bool) -> None:
        super().__init__()
        self.mask = Conv2d(1, hidden, 3, padding=1, equalised=equalised)
        self.affine = Linear(style, 2 * hidden, equalised=equalised) if style else None
        self.modulation = Conv2d(hidden, 2 * channels, 3, padding=1, equalised=equalised)

    def forward(self, x: Tensor, M: Tensor, f: Tensor | None = None) -> Tensor:
        """x: [B, C, h, w]; M: [B, 1, h, w]; f: the mapped latent f(z) [B, style]."""
        h = lrelu(self.mask(M))  # [B, hidden, h, w]
        if self.affine is not None:
            z1, z2 = self.affine(f)[:, :, None, None].chunk(2, dim=1)  # [B, hidden, 1, 1] each
            h = h * (1 + z1) + z2
        gamma, beta = lrelu(self.modulation(h)).chunk(2, dim=1)  # [B, C, h, w] each
        return (1 + gamma) * instance_norm(x) + beta


class UpsampleBlock(nn.Module):
    """Two branches, for the inside and the outside of the region, merged at twice the side (3.4)."""

    def __init__(
        self, inputs: int, outputs: int, hidden: int, style: int, depth: int = 1, *, equalised: bool
    ) -> None:
        super().__init__()
        self.denorm_in = Denorm(inputs, hidden, style, equalised=equalised)
        self.conv_in = Conv2d(inputs, outputs, 3, padding=1, equalised=equalised)
        self.denorm_out = Denorm(inputs, hidden, None, equalised=equalised)
        self.conv_out = Conv2d(inputs, outputs, 3, padding=1, equalised=equalised)
        self.conv = Conv2d(outputs, outputs, 3, padding=1, equalised=equalised)
        self.deeper = nn.ModuleList(
            Conv2d(outputs, outputs, 3, padding=1, equalised=equalised) for _ in range(depth - 1)
        )
        self.denorm = Denorm(outputs, hidden, style, equalised=equalised)

    def forward(self, x: Tensor, M: Tensor, M_up: Tensor, f: Tensor) -> Tensor:
        """x: [B, in, h, w]; M: the mask at h, M_up at 2h; f: [B, style]; returns [B, out, 2h, 2w]."""
        left = lrelu(self.conv_in(lrelu(self.denorm_in(x, M, f))))  # generates inside M
        right = lrelu(self.conv_out(lrelu(self.denorm_out(x, 1 - M))))  # restores outside it, without z
        merged = F.interpolate(left + right, scale_factor=2.0, mode="nearest")
        h = lrelu(self.conv(merged))
        for conv in self.deeper:
            h = h + lrelu(conv(h))
        return self.denorm(h, M_up, f)
