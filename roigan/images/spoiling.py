"""Images spoilt on purpose: near anomalies made of normal ones, without any anomaly in sight.

Every maker takes images x [B, C, S, S] in [-1, 1] and a generator of the CPU, and returns images like x.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Maker = Callable[[Tensor, torch.Generator], Tensor]

BEND = 0.35  # of a warp: how far points go at most, as a share of half the side
KNOTS = 4  # of a warp, along a side


def warped(x: Tensor, generator: torch.Generator) -> Tensor:
    """Drawn on rubber: 4 x 4 points go up to a sixth of the side, what lies between follows smoothly."""
    moved = (2 * _uniform(generator, len(x), 2, KNOTS, KNOTS) - 1) * BEND
    field = F.interpolate(moved, size=x.shape[-2:], mode="bicubic", align_corners=True)  # [B, 2, S, S]
    still = F.affine_grid(torch.eye(2, 3).expand(len(x), 2, 3), list(x.shape), align_corners=False)
    places = (still + field.movedim(1, -1)).to(x)
    return F.grid_sample(x, places, padding_mode="border", align_corners=False)


def halved(x: Tensor, generator: torch.Generator) -> Tensor:
    """Beyond a straight line that passes near the middle, another one of the images."""
    angle, offset = 2 * math.pi * _uniform(generator, len(x)), 0.4 * _uniform(generator, len(x)) - 0.2
    axis = torch.linspace(-1, 1, x.shape[-1])
    across = angle.cos()[:, None, None] * axis + angle.sin()[:, None, None] * axis[:, None]  # [B, S, S]
    return torch.where((across > offset[:, None, None])[:, None].to(x.device), x, _other(x, generator))


def pasted(x: Tensor, generator: torch.Generator) -> Tensor:
    """A square of it comes from up to 2/7 of the side elsewhere (Li et al. 2021, CutPaste)."""
    side = x.shape[-1]
    reach = side * 2 // 7
    steps = torch.randint(-reach, reach + 1, (len(x), 2), generator=generator)
    rows, columns = ((torch.arange(side) - steps[:, i, None]) % side for i in (0, 1))  # [B, S]
    images = torch.arange(len(x))[:, None, None]
    elsewhere = x.movedim(1, -1)[images, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)
    centre = side * (0.25 + 0.5 * _uniform(generator, len(x), 2))
    half = side * (1 + _uniform(generator, len(x))) / 7
    near = (torch.arange(side) - centre[..., None]).abs() < half[:, None, None]  # [B, 2, S]
    square = near[:, 0, :, None] & near[:, 1, None, :]
    return torch.where(square[:, None].to(x.device), elsewhere, x)


def erased(x: Tensor, generator: torch.Generator) -> Tensor:
    """A disc of it is as its median: the paper of a drawing."""
    side = x.shape[-1]
    centre = side * (0.3 + 0.4 * _uniform(generator, len(x), 2))
    radius = side * (0.14 + 0.11 * _uniform(generator, len(x)))
    apart = torch.arange(side) - centre[..., None]  # [B, 2, S]
    disc = apart[:, 0, :, None].square() + apart[:, 1, None, :].square() < radius[:, None, None].square()
    median = x.flatten(2).median(2).values[..., None, None]
    return torch.where(disc[:, None].to(x.device), median, x)


def joined(x: Tensor, generator: torch.Generator) -> Tensor:
    """Two of the images at once, the lighter of both everywhere."""
    return torch.maximum(x, _other(x, generator))


def turned(x: Tensor, generator: torch.Generator) -> Tensor:
    """By a quarter, half or three quarters. A mirror would leave most photographs as normal as they were."""
    quarters = torch.randint(1, 4, (len(x),), generator=generator).to(x.device)
    every = torch.stack([x.rot90(k, (-2, -1)) for k in range(1, 4)])
    return every[quarters - 1, torch.arange(len(x), device=x.device)]


def shuffled(x: Tensor, generator: torch.Generator) -> Tensor:
    """A quarter of the side is a patch's; every image has its sixteen in an order of its own."""
    side = x.shape[-1] // 4
    patches = x.unfold(2, side, side).unfold(3, side, side).flatten(2, 3)  # [B, C, 16, s, s]
    order = _uniform(generator, len(x), patches.shape[2]).argsort(1).to(x.device)  # [B, 16]
    moved = patches.gather(2, order[:, None, :, None, None].expand_as(patches))
    rows = moved.unflatten(2, (4, 4)).permute(0, 1, 2, 4, 3, 5)  # [B, C, 4, s, 4, s]
    return rows.flatten(4, 5).flatten(2, 3)


def blurred(x: Tensor, generator: torch.Generator) -> Tensor:
    """Twice a mean over five pixels' side."""
    for _ in range(2):
        x = F.avg_pool2d(x, 5, stride=1, padding=2, count_include_pad=False)
    return x


def noisy(sigma: float) -> Maker:
    """White noise of a standard deviation is added, and the result clipped."""
    return lambda x, generator: (x + sigma * torch.randn(x.shape, generator=generator).to(x)).clamp(-1, 1)


NEAR: dict[str, Maker] = {
    "warped": warped,
    "halved": halved,
    "pasted": pasted,
    "erased": erased,
    "joined": joined,
    "turned": turned,
    "shuffled": shuffled,
}


def spoilt(x: Tensor, generator: torch.Generator) -> Tensor:
    """Every image in one of the ways of NEAR, which are drawn evenly."""
    way = torch.randint(len(NEAR), (len(x),), generator=generator)
    y = x.clone()
    for number, make in enumerate(NEAR.values()):
        chosen = (way == number).to(x.device)
        if chosen.any():
            y[chosen] = make(x[chosen], generator)
    return y


def _uniform(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(shape, generator=generator)


def _other(x: Tensor, generator: torch.Generator) -> Tensor:
    """For every image another one of them."""
    order = torch.randperm(len(x), generator=generator)
    return x[order.roll(1)][order.argsort()]
