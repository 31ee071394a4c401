"""What a model that scores says of validation images, so that a score can be read without any other image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from roigan.images.arrays import batches

AT_ONCE = 256  # images scored at a time: bounds memory only
KEPT = 2000  # scores of validation images at most, which are in random order


@contextmanager
def served(net: nn.Module) -> Iterator[nn.Module]:
    """The network as those use it who load the model: a detector with a memory looks into it."""
    training = net.training
    yield net.eval()
    net.train(training)


@torch.no_grad()
def scores_of(D: nn.Module, images: np.ndarray, device: torch.device) -> Tensor:
    """-D(x) [N] on the CPU, float32, of images uint8 [N, S, S, C]."""
    return torch.cat([-D(x.to(device)).float().cpu() for x in batches(images, AT_ONCE)])


def calibration(D: nn.Module, images: np.ndarray, device: torch.device) -> list[float]:
    """The scores of the first 2,000 validation images, in ascending order."""
    values: list[float] = scores_of(D, images[:KEPT], device).sort().values.tolist()
    return values
