"""The rivals of a generator, as completions: fast marching, the memory of the training set, and reality
itself.

A completion is a function (x [B, C, H, W] in [-1, 1], M [B, 1, H, W], generator of the CPU) -> y like x,
equal to x bit for bit where M is 0.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor

from roigan.corruptions.corruption import Corruption
from roigan.images.arrays import normalise, to_float, to_uint8
from roigan.images.blending import BLENDS
from roigan.systems.model import Model

Completer = Callable[[Tensor, Tensor, torch.Generator], Tensor]

CHUNK = 256  # training images compared at a time
FILLED = 32  # images completed at a time: on a CPU G's maps then stay in the cache


def generated(model: Model) -> Completer:
    """A trained model; every image gets a random z."""
    return _with_random_z(model, model.complete)


def whole(model: Model) -> Completer:
    """The whole image of a trained model's generator. No completion: known pixels may differ."""
    return _with_random_z(model, model.whole)


def _with_random_z(model: Model, verb: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Completer:
    def fill(x: Tensor, M: Tensor, generator: torch.Generator) -> Tensor:
        z = model.latent(len(x), generator)
        parts = zip(x.split(FILLED), M.split(FILLED), z.split(FILLED), strict=True)
        return torch.cat([verb(*part) for part in parts])

    return fill


def fast_marching(radius: int, space: str = "identity") -> Completer:
    """OpenCV's inpainting after Telea (2004); radius in pixels; of its fillings, what the space generates."""

    def fill(x: Tensor, M: Tensor, generator: torch.Generator) -> Tensor:
        x_known = x * (1 - M)  # OpenCV's gradients look at pixels inside, by a few grey levels
        regions = (M[:, 0] > 0.5).to(torch.uint8).cpu().numpy()
        filled = [
            cv2.inpaint(image, region, radius, cv2.INPAINT_TELEA).reshape(
                image.shape
            )  # drops a single channel
            for image, region in zip(to_uint8(x_known), regions, strict=True)
        ]
        return Corruption.region(space, M).complete(x, to_float(np.stack(filled)).to(x.device))

    return fill


Proposal = Completer
"""Like a completion, but a whole image G, whatever is known: something to be pasted or blended."""


def filled_by(propose: Proposal, blend: str = "none", space: str = "identity") -> Completer:
    """What is proposed, in the regions; blend: a key of BLENDS; of the region, what the space generates."""

    def fill(x: Tensor, M: Tensor, generator: torch.Generator) -> Tensor:
        G = BLENDS[blend](x * (1 - M), propose(x, M, generator), M)
        return Corruption.region(space, M).complete(x, G)

    return fill


def nearest(train: np.ndarray, space: str = "identity") -> Completer:
    """The region of the nearest training image, pasted: what pure memory achieves."""
    return filled_by(nearest_image(train), space=space)


def nearest_image(train: np.ndarray) -> Proposal:
    """The training image whose known pixels are nearest in L2; train: uint8 [N, H, W, C]."""

    def propose(x: Tensor, M: Tensor, generator: torch.Generator) -> Tensor:
        best = torch.full((len(x),), torch.inf, device=x.device)
        index = torch.zeros(len(x), dtype=torch.long, device=x.device)
        known = (1 - M).movedim(1, -1)  # [B, H, W, 1]: the order of the packed images, which are many
        x_known = (x.movedim(1, -1) * known).flatten(1)
        for begin in range(0, len(train), CHUNK):
            levels = torch.from_numpy(np.array(train[begin : begin + CHUNK]))
            t = normalise(levels.to(x.device))  # [N, H, W, C]
            # |(1-M)(x - t)|^2 without the term in x alone, which all training images share
            distance = known.flatten(1) @ t.square().sum(-1).flatten(1).T - 2 * x_known @ t.flatten(1).T
            value, where = distance.min(1)  # [B]
            index = torch.where(value < best, where + begin, index)
            best = torch.minimum(best, value)
        return to_float(train[index.cpu().numpy()]).to(x.device)

    return propose


def average(train: np.ndarray) -> Tensor:
    """The mean of images uint8 [N, H, W, C], in whole levels: [1, C, H, W] in [-1, 1]."""
    return to_float(np.rint(np.asarray(train).mean(0)).astype(np.uint8)[None])


def mean_image(train: np.ndarray) -> Proposal:
    """The mean of the training images; train: uint8 [N, H, W, C]."""
    image = average(train)
    return lambda x, M, generator: image.to(x.device).expand_as(x)


def random_image(train: np.ndarray) -> Proposal:
    """Any training image; train: uint8 [N, H, W, C]."""

    def propose(x: Tensor, M: Tensor, generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(train), (len(x),), generator=generator)
        return to_float(train[rows.numpy()]).to(x.device)

    return propose


def grey(x: Tensor, M: Tensor, generator: torch.Generator) -> Tensor:
    """A grey image: blended, it is the surroundings continued smoothly."""
    return torch.zeros_like(x)


def real(x: Tensor, M: Tensor, generator: torch.Generator) -> Tensor:
    """The original: the floor that a finite sample leaves."""
    return x
