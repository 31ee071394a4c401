"""Layers of RoI-GAN: gated convolutions, the RoI denormalisation and the upsample block."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roigan.nets.layers import Conv2d, Linear, instance_norm, lrelu


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
