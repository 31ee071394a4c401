"""What a detector begins with: a bank of anomalies that past generators painted, and scores about zero."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from roigan.config.systems.history_ad import PastParams
from roigan.errors import UserError
from roigan.images.arrays import normalise
from roigan.images.spoiling import spoilt
from roigan.systems.states import State
from roigan.systems.wgan.networks import Critic

AT_ONCE = 256  # images generated at a time: bounds memory only


def counts(q: Tensor, total: int, generator: torch.Generator) -> Tensor:
    """How many of `total` images each state paints: multinomial by q [T], int64 [T]."""
    return torch.multinomial(q, total, replacement=True, generator=generator).bincount(minlength=len(q))


@torch.no_grad()
def bank(
    G: nn.Module,
    states: Sequence[State],
    noise: int,
    q: Tensor,
    past: PastParams,
    images: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Images of the past, uint8 [past.images, C, S, S] on G's device: t ~ q, z ~ N(0, I), y = G_t(z).

    The first round(past.far * past.images) are uniform noise instead, and as many as past.near says are
    spoilt training images. images: uint8 [N, S, S, C] of training; generator: of the CPU.
    """
    G, like = copy.deepcopy(G).eval(), next(G.parameters())
    far, near = (round(share * past.images) for share in (past.far, past.near))
    parts = [_spoilt(images, near, generator).to(like.device)] if near else []
    for state, n in zip(states, counts(q, past.images - far - near, generator).tolist(), strict=True):
        G.load_state_dict(state.nets["G"])
        parts += [_levels(G(z.to(like))) for z in torch.randn(n, noise, generator=generator).split(AT_ONCE)]
    painted = torch.cat(parts)
    shape = (far, *painted.shape[1:])
    uniform = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    return torch.cat([uniform.to(like.device), painted])


def _spoilt(images: Tensor, count: int, generator: torch.Generator) -> Tensor:
    drawn = torch.randint(len(images), (count,), generator=generator).to(images.device)
    return torch.cat(
        [_levels(spoilt(normalise(images[part].movedim(-1, 1)), generator)) for part in drawn.split(AT_ONCE)]
    )


def _levels(images: Tensor) -> Tensor:
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


@torch.no_grad()
def centre(D: Critic, x: Tensor, y: Tensor) -> None:
    """Scale and shift D's last layer so that E D(x) = 1/2 and E D(y) = -1/2; x, y: [N, C, S, S]."""
    high, low = (torch.cat([D(part) for part in images.split(AT_ONCE)]).mean() for images in (x, y))
    if high == low:
        raise UserError("the mean critic scores all images alike; raise prior.train.steps")
    head = D.head
    head.weight /= high - low
    head.bias.sub_((high + low) / 2).div_(high - low)
