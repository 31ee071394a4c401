"""The rivals of a model that colours: what L alone tells without a network, and what copying does.

Each makes a, b for a whole picture and gives them to the region that is asked for; L stays.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from roigan.corruptions.corruption import SPACES, Corruption
from roigan.evaluation.methods import Completer
from roigan.images.arrays import to_float

LAB = SPACES["lab"]
LEVELS = 100  # of L, in the table of mean colours
COARSE = 16  # side of the maps that are compared and regressed
RIDGE = 1e-2  # of the mean variance of the inputs, times the number of images
NEAREST = 5
SAMPLES = 16  # Welsh: rows and columns of the pixels that are looked at in the reference
AROUND = 5  # Welsh: side of the neighbourhood in which L's deviation is taken
CHUNK = 256  # images at a time; bounds memory only

Colours = Callable[[Tensor, torch.Generator], Tensor]
"""(L [B, 1, H, W] on the scale of the space `lab`, generator of the CPU) -> a, b [B, 2, H, W]."""


class Memory:
    """What the rivals know of the training images, uint8 [N, H, W, 3]."""

    def __init__(self, train: np.ndarray) -> None:
        self.train = train
        sums, counts = torch.zeros(2, LEVELS, dtype=torch.float64), torch.zeros(LEVELS, dtype=torch.float64)
        coarse = []
        for begin in range(0, len(train), CHUNK):
            t = LAB.to(to_float(train[begin : begin + CHUNK]))
            coarse.append(F.adaptive_avg_pool2d(t, COARSE))
            level, ab = _level(t[:, :1]).flatten(), t[:, 1:].movedim(1, 0).flatten(1).double()
            sums += torch.stack([torch.bincount(level, channel, LEVELS) for channel in ab])
            counts += torch.bincount(level, minlength=LEVELS)
        self.mean = (sums.sum(1) / counts.sum()).float()  # [2]
        # a level without any pixel gets the mean colour
        self.by_level = ((sums + self.mean[:, None]) / (counts + 1)).float()  # [2, LEVELS]
        maps = torch.cat(coarse)
        self.L = maps[:, :1].flatten(1)  # [N, 256]
        self.weights = _ridge(self.L, maps[:, 1:].flatten(1))  # [257, 512]

    def coordinates(self, rows: Tensor) -> Tensor:
        """T of some training images [B, 3, H, W]."""
        return LAB.to(to_float(self.train[rows.numpy()]))

    def nearest(self, L: Tensor, count: int) -> Tensor:
        """The training images whose coarse lightness is nearest, best first: [B, count]."""
        distance = torch.cdist(_coarse(L), self.L.to(L))
        return distance.topk(count, largest=False).indices.cpu()


def rivals(train: np.ndarray) -> dict[str, Completer]:
    """By name; train: uint8 [N, H, W, 3]."""
    memory = Memory(train)

    def grey(L: Tensor, generator: torch.Generator) -> Tensor:
        return torch.zeros_like(L).expand(-1, 2, -1, -1)

    def mean(L: Tensor, generator: torch.Generator) -> Tensor:
        return memory.mean.to(L)[:, None, None].expand(len(L), 2, *L.shape[2:])

    def by_lightness(L: Tensor, generator: torch.Generator) -> Tensor:
        return memory.by_level.to(L)[:, _level(L)[:, 0]].movedim(0, 1)

    def ridge(L: Tensor, generator: torch.Generator) -> Tensor:
        ab = _with_one(_coarse(L)) @ memory.weights.to(L)  # [B, 512]
        ab = ab.unflatten(1, (2, COARSE, COARSE))
        return F.interpolate(ab, L.shape[2:], mode="bilinear", align_corners=False)

    def copied(L: Tensor, generator: torch.Generator) -> Tensor:
        return memory.coordinates(memory.nearest(L, 1)[:, 0])[:, 1:].to(L)

    def averaged(L: Tensor, generator: torch.Generator) -> Tensor:
        several = memory.nearest(L, NEAREST)
        return torch.stack([memory.coordinates(rows)[:, 1:] for rows in several.T]).mean(0).to(L)

    def welsh(L: Tensor, generator: torch.Generator) -> Tensor:
        return transferred(L, memory.coordinates(memory.nearest(L, 1)[:, 0]).to(L))

    def random(L: Tensor, generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(memory.train), (len(L),), generator=generator)
        return memory.coordinates(rows)[:, 1:].to(L)

    makers: dict[str, Colours] = {
        "grey": grey, "mean": mean, "by_lightness": by_lightness, "ridge": ridge, "nearest": copied,
        "nearest5": averaged, "welsh": welsh, "random": random,
    }  # fmt: skip
    return {name: completer(make) for name, make in makers.items()}


def completer(colours: Colours) -> Completer:
    """The colours as a completion."""

    def fill(x: Tensor, M: Tensor, generator: torch.Generator) -> Tensor:
        parts = [
            Corruption.region("lab", m).joined(part, LAB.embed(colours(LAB.to(part)[:, :1], generator)))
            for part, m in zip(x.split(CHUNK), M.split(CHUNK), strict=True)
        ]
        return torch.cat(parts)

    return fill


def transferred(L: Tensor, reference: Tensor) -> Tensor:
    """Every pixel takes a, b of the reference's pixel that is like it in L and in L's deviation around it.

    T. Welsh, M. Ashikhmin, K. Mueller, Transferring Color to Greyscale Images, SIGGRAPH 2002, with the
    samples on a grid. L: [B, 1, H, W]; reference: [B, 3, H, W]; returns [B, 2, H, W].
    """
    theirs = reference[:, :1]
    # the reference's L is brought to the mean and the deviation of the picture's
    theirs = (theirs - _mean(theirs)) * (_deviation(L) / _deviation(theirs)) + _mean(L)
    grid = [torch.linspace(0, side - 1, SAMPLES).round().long() for side in L.shape[2:]]
    samples = _neighbourhood(theirs)[:, :, grid[0][:, None], grid[1]].flatten(2)  # [B, 2, S]
    colours = reference[:, 1:, grid[0][:, None], grid[1]].flatten(2)  # [B, 2, S]
    like = torch.cdist(_neighbourhood(L).flatten(2).mT, samples.mT).argmin(2)  # [B, H*W]
    return colours.gather(2, like[:, None].expand(-1, 2, -1)).unflatten(2, L.shape[2:])


def _neighbourhood(L: Tensor) -> Tensor:
    """L and its standard deviation around every pixel, alike in weight: [B, 2, H, W]."""

    def around(t: Tensor) -> Tensor:
        return F.avg_pool2d(t, AROUND, 1, AROUND // 2, count_include_pad=False)

    return torch.cat([L, (around(L * L) - around(L).square()).clamp_min(0).sqrt()], 1)


def _mean(L: Tensor) -> Tensor:
    return L.mean((2, 3), keepdim=True)


def _deviation(L: Tensor) -> Tensor:
    return L.std((2, 3), keepdim=True).clamp_min(1e-3)


def _level(L: Tensor) -> Tensor:
    """L in [-1, 1] -> 0 .. LEVELS-1."""
    return ((L + 1) * (LEVELS / 2)).long().clamp(0, LEVELS - 1)


def _coarse(L: Tensor) -> Tensor:
    """[B, 1, H, W] -> [B, COARSE**2]."""
    return F.adaptive_avg_pool2d(L, COARSE).flatten(1)


def _with_one(inputs: Tensor) -> Tensor:
    return torch.cat([inputs, torch.ones_like(inputs[:, :1])], 1)


def _ridge(inputs: Tensor, outputs: Tensor) -> Tensor:
    """The weights [inputs + 1, outputs] of a linear regression that are kept small, but for the constant."""
    X = _with_one(inputs).double()
    square = X.T @ X
    penalty = torch.full((X.shape[1],), RIDGE * len(X) * inputs.var().item(), dtype=torch.float64)
    penalty[-1] = 0
    return torch.linalg.solve(square + penalty.diag(), X.T @ outputs.double()).float()
