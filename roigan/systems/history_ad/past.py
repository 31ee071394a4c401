"""What a detector begins with: a bank of anomalies that past generators painted, and scores about zero."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from roigan.config.systems.history_ad import PastParams
from roigan.errors import UserError
from roigan.systems.states import State

AT_ONCE = 256  # images generated at a time: bounds memory only


def counts(q: Tensor, total: int, generator: torch.Generator) -> Tensor:
    """How many of `total` images each state paints: multinomial by q [T], int64 [T]."""
    return torch.multinomial(q, total, replacement=True, generator=generator).bincount(minlength=len(q))


@torch.no_grad()
def bank(
    G: nn.Module, states: Sequence[State], noise: int, q: Tensor, past: PastParams, generator: torch.Generator
) -> Tensor:
    """Images of the past, uint8 [past.images, C, S, S] on G's device: t ~ q, z ~ N(0, I), y = G_t(z).

    The first round(past.far * past.images) are uniform noise instead. generator: of the CPU.
    """
    G, like = copy.deepcopy(G).eval(), next(G.parameters())
    far = round(past.far * past.images)
    parts = []
    for state, n in zip(states, counts(q, past.images - far, generator).tolist(), strict=True):
        G.load_state_dict(state.nets["G"])
        parts += [_levels(G(z.to(like))) for z in torch.randn(n, noise, generator=generator).split(AT_ONCE)]
    painted = torch.cat(parts)
    shape = (far, *painted.shape[1:])
    uniform = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    return torch.cat([uniform.to(like.device), painted])


def _levels(images: Tensor) -> Tensor:
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def last_layer(D: nn.Module) -> nn.Linear:
    """The layer whose output is the score."""
    return [layer for layer in D.modules() if isinstance(layer, nn.Linear)][-1]


@torch.no_grad()
def centre(D: nn.Module, x: Tensor, y: Tensor) -> None:
    """Scale and shift D's last layer so that E D(x) = 1/2 and E D(y) = -1/2; x, y: [N, C, S, S]."""
    high, low = (torch.cat([D(part) for part in images.split(AT_ONCE)]).mean() for images in (x, y))
    if high == low:
        raise UserError("the mean critic scores all images alike; raise prior.train.steps")
    head = last_layer(D)
    head.weight /= high - low
    head.bias.sub_((high + low) / 2).div_(high - low)
