"""The detector: built like the prior's critic, with or without a memory of training images."""

from __future__ import annotations

import torch
from torch import Tensor

from roigan.config.systems.history_ad import HistoryADModel
from roigan.images.arrays import normalise
from roigan.nets.memory import nearest_squared
from roigan.systems.wgan.networks import Critic

AT_ONCE = 256  # images remembered at a time: bounds memory only


class Detector(Critic):
    """D: an image -> its value [B], higher = more like the training images.

    With a memory (ours), what it has learnt are features: once trained (`eval`), D is minus the squared
    distance, in its last hidden layer, to the nearest remembered image.
    """

    known: Tensor  # [model.memory, F]

    def __init__(self, size: int, channels: int, model: HistoryADModel) -> None:
        super().__init__(size, channels, model)
        self.memory = model.memory
        if self.memory:
            self.register_buffer("known", torch.zeros(self.memory, self.head.in_features))

    def forward(self, image: Tensor) -> Tensor:
        """image: [B, C, S, S]; no image's value depends on the others."""
        if self.training or not self.memory:
            return super().forward(image)
        return -nearest_squared(self.hidden(image).float(), self.known)

    @torch.no_grad()
    def remember(self, images: Tensor) -> None:
        """images: uint8 [N, C, S, S] with N = model.memory: what the memory held before is forgotten."""
        if self.memory:
            parts = [self.hidden(normalise(part)).float() for part in images.split(AT_ONCE)]
            self.known.copy_(torch.cat(parts))
