"""Looking for latent vectors: the z whose images please a list of objectives, all images of a batch at once.

Objectives give a number per image and the optimisers treat every image alone, so an image finds the same z
whichever others are searched beside it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from roigan.errors import UserError

Objective = Callable[[Tensor, Tensor], Tensor]
"""(images G(z) [B, C, S, S], z [B, N]) -> what each costs [B]."""

MEMORY = 10  # steps that L-BFGS remembers
HALVINGS = 8  # of a step of L-BFGS that does not go down
DESCENT = 1e-4  # of the promised descent is enough (Armijo)
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Adam's


class Found(NamedTuple):
    """Where a search has ended: of every image, the best z that it met."""

    z: Tensor
    """[B, N]."""
    images: Tensor
    """G(z) [B, C, S, S]."""
    loss: Tensor
    """[B]."""
    terms: dict[str, Tensor]
    """The objectives' shares of it, [B] each."""
    trace: Tensor
    """The lowest loss so far after every look, [looks, B]."""


class Search:
    """A search under way: looks at vectors, and remembers the best of every image."""

    def __init__(
        self,
        G: Callable[[Tensor], Tensor],
        objectives: Mapping[str, Objective],
        z: Tensor,
        bound: Tensor | float,
        tick: Callable[[], object] = lambda: None,
    ) -> None:
        self.G, self.objectives, self.tick = G, objectives, tick
        self.bound = torch.as_tensor(bound, dtype=z.dtype, device=z.device)
        self.best: Found | None = None
        self.lowest: list[Tensor] = []
        """The lowest loss so far after every look, [B] each."""
        self.broken: dict[str, int] = {}
        """Objectives that became infinite or no number, and of how many images."""
        self.stopped = torch.zeros(len(z), dtype=torch.bool, device=z.device)
        """Images of which that is so: they keep the last sound z."""

    def look(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Loss [B] and gradient [B, N] at z [B, N]; infinite, and 0, for an image that is stopped."""
        z = z.detach().clone().requires_grad_(True)
        with torch.enable_grad():
            images = self.G(z)
            terms = {name: objective(images, z) for name, objective in self.objectives.items()}
            loss = torch.stack(list(terms.values())).sum(0)
            (gradient,) = torch.autograd.grad(loss.sum(), z)
        self._stop(terms, gradient)
        loss = loss.detach().masked_fill(self.stopped, torch.inf)
        self._remember(z.detach(), images.detach(), loss, {n: term.detach() for n, term in terms.items()})
        self.tick()
        return loss, gradient.masked_fill(self.stopped[:, None], 0)

    def inside(self, z: Tensor) -> Tensor:
        """z in its bounds."""
        return z.clamp(-self.bound, self.bound)

    def _stop(self, terms: Mapping[str, Tensor], gradient: Tensor) -> None:
        sound = {name: term.isfinite() for name, term in terms.items()}
        sound["its gradient"] = gradient.isfinite().all(1)
        for name, finite in sound.items():
            if count := int((~finite & ~self.stopped).sum()):
                self.broken[name] = self.broken.get(name, 0) + count
            self.stopped = self.stopped | ~finite

    def _remember(self, z: Tensor, images: Tensor, loss: Tensor, terms: dict[str, Tensor]) -> None:
        if self.best is None:
            if self.stopped.any():
                raise UserError(f"latent search: {next(iter(self.broken))} is no number at the first z")
            self.best = Found(z, images, loss, terms, loss[None])
            self.lowest.append(loss)
            return
        old, better = self.best, loss < self.best.loss

        def chosen(new: Tensor, kept: Tensor) -> Tensor:
            return torch.where(better.view(-1, *[1] * (new.dim() - 1)), new, kept)

        self.best = old._replace(
            z=chosen(z, old.z),
            images=chosen(images, old.images),
            loss=chosen(loss, old.loss),
            terms={name: chosen(term, old.terms[name]) for name, term in terms.items()},
        )
        self.lowest.append(self.best.loss)


class Adam(NamedTuple):
    """Adam on its way (Kingma and Ba 2015): all that its next step needs of the earlier ones."""

    z: Tensor
    """[B, N]; so are the moments."""
    m: Tensor
    v: Tensor
    t: int = 0
    """Steps that were taken."""

    @classmethod
    def begin(cls, z: Tensor) -> Adam:
        """Before the first step."""
        return cls(z, torch.zeros_like(z), torch.zeros_like(z))

    def step(self, gradient: Tensor, lr: float) -> Adam:
        """After one more, elementwise: images of a batch do not touch one another."""
        t = self.t + 1
        m = self.m.lerp(gradient, 1 - BETA_1)
        v = BETA_2 * self.v + (1 - BETA_2) * gradient.square()
        length = lr / (1 - BETA_1**t)
        z = self.z - length * m / (v.sqrt() / math.sqrt(1 - BETA_2**t) + EPSILON)
        return Adam(z, m, v, t)


def walk(search: Search, at: Adam, steps: int, lr: float) -> Adam:
    """Steps of Adam, one look for each; where it stands then, at which nobody has looked yet."""
    for _ in range(steps):
        _, gradient = search.look(at.z)
        at = at.step(gradient, lr)
        at = at._replace(z=search.inside(at.z))
    return at


def adam(search: Search, z: Tensor, steps: int, lr: float) -> None:
    """Adam, and a look at where it ends."""
    search.look(walk(search, Adam.begin(z), steps, lr).z)


def lbfgs(search: Search, z: Tensor, steps: int, lr: float) -> None:
    """L-BFGS (Liu and Nocedal 1989), a line search and a memory per image.

    A number at its bound whose gradient points outwards does not move.
    """
    loss, gradient = search.look(z)
    pairs: list[tuple[Tensor, Tensor, Tensor]] = []  # (steps, changes of gradient, 1 / their product or 0)
    for _ in range(steps):
        free = ~((z.abs() >= search.bound) & (z * gradient < 0))
        downhill = free * gradient
        direction = free * _two_loops(downhill, pairs)
        slope = (direction * downhill).sum(1)
        ascends = slope >= 0
        direction = torch.where(ascends[:, None], -downhill, direction)
        slope = torch.where(ascends, -downhill.square().sum(1), slope)
        length = torch.ones_like(loss)
        if not pairs:  # before anything is known of the curvature: a step of length lr
            length = lr / direction.norm(dim=1).clamp_min(1e-12)
        moved, new_loss, new_gradient = z, loss, gradient
        waiting = torch.ones_like(loss, dtype=torch.bool)
        for _ in range(HALVINGS):
            tried = search.inside(z + length[:, None] * direction)
            tried = torch.where(waiting[:, None], tried, moved)
            tried_loss, tried_gradient = search.look(tried)
            goes = waiting & (tried_loss <= loss + DESCENT * length * slope)
            moved = torch.where(goes[:, None], tried, moved)
            new_loss = torch.where(goes, tried_loss, new_loss)
            new_gradient = torch.where(goes[:, None], tried_gradient, new_gradient)
            waiting = waiting & ~goes
            if not waiting.any():
                break
            length = torch.where(waiting, length / 2, length)
        s, y = moved - z, new_gradient - gradient
        product = (s * y).sum(1)
        pairs = [*pairs[1 - MEMORY :], (s, y, torch.where(product > 1e-10, 1 / product, 0.0))]
        z, loss, gradient = moved, new_loss, new_gradient


def _two_loops(gradient: Tensor, pairs: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    """The direction - H gradient [B, N]; a pair without curvature (0) counts for nothing."""
    q, factors = gradient, list[Tensor]()
    for s, y, rho in reversed(pairs):
        factor = rho * (s * q).sum(1)
        q = q - factor[:, None] * y
        factors.append(factor)
    if pairs:
        s, y, rho = pairs[-1]
        scale = torch.where(rho > 0, 1 / (rho * y.square().sum(1)).clamp_min(1e-12), 1.0)
        q = scale[:, None] * q
    for (s, y, rho), factor in zip(pairs, reversed(factors), strict=True):
        q = q + (factor - rho * (y * q).sum(1))[:, None] * s
    return -q


OPTIMIZERS: dict[str, Callable[[Search, Tensor, int, float], None]] = {"adam": adam, "lbfgs": lbfgs}
"""(search, first z, steps, learning rate or length of the first step)."""


def minimise(
    G: Callable[[Tensor], Tensor],
    objectives: Mapping[str, Objective],
    z: Tensor,
    optimizer: str = "adam",
    steps: int = 300,
    lr: float = 0.05,
    bound: Tensor | float = 4.0,
    tick: Callable[[], object] = lambda: None,
) -> Found:
    """The best z that an optimiser meets on its way from z [B, N], for every image alone.

    bound: of every number of z, one for all or [N]; tick: called at every look. An image whose objective
    stops being a number keeps its last sound z, and a warning names the objective; UserError where that is so
    at the first z.
    """
    search = Search(G, objectives, z, bound, tick)
    OPTIMIZERS[optimizer](search, search.inside(z), steps, lr)
    if search.broken:
        counts = ", ".join(f"{name} of {count}" for name, count in search.broken.items())
        warnings.warn(f"latent search: no number any more: {counts} images; their last z stays", stacklevel=2)
    assert search.best, "every optimiser looks at the first z"
    return search.best._replace(trace=torch.stack(search.lowest))
