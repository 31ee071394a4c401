"""The discriminator on the maps of a frozen network: random mixing from coarse to fine, a small D per scale.

A. Sauer, K. Chitta, J. Mueller, A. Geiger, Projected GANs Converge Faster, NeurIPS 2021. Ours: it sees the
mask, where a cell lies, and the mean of what is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from roigan.nets.layers import group_norm, lrelu

MIXED, FINE = 64, 16  # channels of a mixed map; of the finest one, which has textures alone
STEEP = 12  # px: larger maps are halved by a convolution


class Mixing(nn.Module):
    """Fixed random convolutions, the same in every run: 1x1 between the channels of a map, 3x3 between it and
    the coarser ones."""

    def __init__(self, widths: Sequence[int]) -> None:
        """widths: channels of the maps, from fine to coarse."""
        super().__init__()
        generator = torch.Generator().manual_seed(0)

        def fixed(name: str, *shape: int) -> None:
            weight = torch.randn(shape, generator=generator) / math.prod(shape[1:]) ** 0.5
            self.register_buffer(name, weight, persistent=False)

        for i, width in enumerate(widths):
            fixed(f"across{i}", MIXED if i else FINE, width, 1, 1)
            if i:
                fixed(f"along{i}", MIXED, MIXED, 3, 3)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """maps [B, c_l, h_l, w_l], from fine to coarse -> as many, [B, 64, h_l, w_l]; the first, of 16
        channels, is mixed with no other."""
        mixed: list[Tensor] = []
        for i in reversed(range(len(maps))):
            h = F.conv2d(maps[i], getattr(self, f"across{i}"))
            if i:
                if mixed:
                    h = 0.5**0.5 * (h + _resize(mixed[-1], h.shape[-1]))
                h = F.conv2d(F.pad(h, (1, 1, 1, 1), mode="replicate"), getattr(self, f"along{i}"))
            mixed.append(h)
        return mixed[::-1]


class Head(nn.Module):
    """D of one scale. It sees the mixed map, where a cell lies, how much of it is generated, and the mean of
    what is known around."""

    def __init__(self, inputs: int, side: int) -> None:
        super().__init__()
        hidden = 2 * inputs if inputs < MIXED else MIXED
        self.known = spectral_norm(nn.Linear(inputs, hidden))
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for below, above in ((inputs + 3, hidden), (hidden, MIXED)):
            kernel, stride = (4, 2) if side >= STEEP else (3, 1)
            self.convs.append(spectral_norm(nn.Conv2d(below, above, kernel, stride, 1)))
            self.norms.append(group_norm(above))
            side //= stride
        self.score = spectral_norm(nn.Conv2d(MIXED, 1, 3, padding=1))

    def forward(self, h: Tensor, M: Tensor) -> Tensor:
        """h: [B, c, s, s]; M: [B, 1, S, S]; returns scores [B, P]."""
        m = F.adaptive_avg_pool2d(M, h.shape[-1])
        known = (h * (1 - m)).sum((2, 3)) / (1 - m).sum((2, 3)).clamp_min(0.1)  # [B, c]
        line = torch.linspace(-1, 1, h.shape[-1], device=h.device, dtype=h.dtype)
        places = torch.stack(torch.meshgrid(line, line, indexing="ij")).expand(len(h), -1, -1, -1)
        h = torch.cat([h, places, m], 1)
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            h = conv(h)
            h = lrelu(norm(h if i else h + self.known(known)[:, :, None, None]))
        scores: Tensor = self.score(h).flatten(1).float()
        return scores


class FeatureDiscriminator(nn.Module):
    """D: the maps of an image by a frozen network, and a mask -> scores of every scale."""

    def __init__(self, shapes: Sequence[tuple[int, int]]) -> None:
        """shapes: channels and side of the maps, from fine to coarse."""
        super().__init__()
        self.mixing = Mixing([width for width, _ in shapes])
        self.heads = nn.ModuleList(Head(MIXED if i else FINE, side) for i, (_, side) in enumerate(shapes))

    def forward(self, maps: Sequence[Tensor], M: Tensor) -> list[Tensor]:
        """maps [B, c_l, h_l, w_l], from fine to coarse; M: [B, 1, S, S]; returns scores [B, P_l]."""
        return [head(h, M) for head, h in zip(self.heads, self.mixing(maps), strict=True)]


def _resize(h: Tensor, side: int) -> Tensor:
    return F.interpolate(h, size=(side, side), mode="bilinear", align_corners=False)
