"""What a feature network is made of: images in, maps out, and which of the maps describe an image."""

from __future__ import annotations

from torch import Tensor, nn


class Trunk(nn.Module):
    """Takes images [B, channels, H, W] in [-1, 1]."""

    channels: int = 3
    """Of its images; 3: grey ones are repeated."""
    pooled: tuple[int, ...] = (-1,)
    """The maps whose means over the image are the embedding."""
    standardised: bool = False
    """Whether each feature of the embedding is brought to mean 0 and variance 1 on training images."""

    def forward(self, x: Tensor) -> list[Tensor]:
        """The maps [B, c_l, h_l, w_l], from fine to coarse."""
        raise NotImplementedError
