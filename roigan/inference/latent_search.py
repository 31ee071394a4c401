"""Completing with a model of whole images: a search for the z whose image fits what is known.

R. Yeh et al., Semantic Image Inpainting with Deep Generative Models, CVPR 2017; gradients after P. Vitoria,
J. Sintes, C. Ballester 2019. The model is trained once, and any region is filled by it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from roigan.config import SearchParams
from roigan.images.blending import BLENDS, complete
from roigan.inference.priors import check_images, prior_loss, prior_of
from roigan.inference.solver import Found, Objective, minimise
from roigan.losses import context
from roigan.nets.precision import choose_precision
from roigan.systems.interface import Completion
from roigan.systems.model import Model


class LatentSearch(Model):
    """A prior with the verb `complete`: y = G(z) inside M, blended, for the z whose G(z) fits x outside."""

    def __init__(self, prior: Model, params: SearchParams, tick: Callable[[], object] = lambda: None) -> None:
        """tick: called at every look of a search. Raises UserError for a model that is no prior."""
        prior = prior_of(prior)
        super().__init__(prior.nets, prior.config)
        self.verbs = (*self.verbs, "complete")
        self.params, self.tick = params, tick
        self.prior_loss = prior_loss(prior)

    def _completion(self, x: Tensor, M: Tensor, z: Tensor) -> Completion:
        x, M, z = (tensor.to(self.device) for tensor in (x, M, z))
        known = x.where(M < 0.5, 0)  # what is unknown is not looked at
        G = BLENDS[self.params.blend](known, self.find(known, M, z).images, M)
        return Completion(G, complete(x, G, M))

    def find(self, x: Tensor, M: Tensor, z: Tensor) -> Found:
        """Search from z [B, N] for images that fit x [B, C, S, S], finite, outside M [B, 1, S, S].

        An image of which nothing is known is G(z): there is nothing to look for. Raises UserError for images
        of another size or number of channels.
        """
        check_images(self, x)
        params, many = self.params, self.params.restarts
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.half):
            found = minimise(
                self.G, self.objectives(x.repeat(many, 1, 1, 1), M.repeat(many, 1, 1, 1)),
                self._starts(x, M, z).flatten(0, 1), params.optimizer, params.steps, params.lr, params.bound,
                self.tick,
            )  # fmt: skip
        found = best_start(found, many)
        unknown = (M > 0.5).flatten(1).all(1)
        best = torch.where(unknown[:, None], z, found.z)
        return found._replace(z=best, images=self.G(best))  # anew: in full precision

    @cached_property
    def half(self) -> bool:
        """Whether the networks run in bfloat16 while they are searched."""
        return choose_precision(self.params.precision, self.device)[0] == "bf16"

    def objectives(self, x: Tensor, M: Tensor) -> dict[str, Objective]:
        """What a z is asked for, by name; x, M: [B, C, S, S], [B, 1, S, S]."""
        params, D = self.params, self.nets["D"]
        W = context.importance(M, params.window) if params.weights == "W" else 1 - M
        asked: dict[str, tuple[float, Objective]] = {
            "pixels": (params.alpha, lambda G, z: context.pixels(G, x, W, params.norm)),
            "gradients": (params.beta, lambda G, z: context.gradients(G, x, W, params.norm)),
            "prior": (params.eta, lambda G, z: self.prior_loss(D(G))),
        }
        return {name: _weighted(*terms) for name, terms in asked.items() if terms[0]}

    def _starts(self, x: Tensor, M: Tensor, z: Tensor) -> Tensor:
        """The `restarts` best of `pool` vectors drawn for every image, [R, B, N]."""
        pool = redrawn(z, self.params.pool)  # [P, B, N]
        if self.params.restarts == self.params.pool:
            return pool
        objectives = self.objectives(x, M)
        losses = []
        for candidates in pool:
            images = self.G(candidates)
            losses.append(torch.stack([term(images, candidates) for term in objectives.values()]).sum(0))
        best = torch.stack(losses).topk(self.params.restarts, dim=0, largest=False).indices  # [R, B]
        return pool.gather(0, best[..., None].expand(-1, -1, z.shape[1]))


def completing(model: Model, params: SearchParams) -> Model:
    """The model itself where it completes; where it generates, a search. UserError where it does neither."""
    if "complete" in model.verbs or "generate" not in model.verbs:
        model.require("complete")
        return model
    return LatentSearch(model, params)


def _weighted(weight: float, term: Objective) -> Objective:
    return lambda G, z: weight * term(G, z)


def redrawn(z: Tensor, n: int) -> Tensor:
    """n vectors [n, B, N] of the law of z [B, N], N(0, I), the first of them z itself.

    The others are z with its numbers in another order and with other signs, the same orders for every image:
    so they are new draws, yet a function of z alone, and no image depends on its batch.
    """
    generator = torch.Generator().manual_seed(0)
    drawn = [z]
    for _ in range(n - 1):
        order = torch.randperm(z.shape[1], generator=generator)
        sign = torch.randint(2, (z.shape[1],), generator=generator) * 2 - 1
        drawn.append(z[:, order.to(z.device)] * sign.to(z))
    return torch.stack(drawn)


def best_start(found: Found, many: int) -> Found:
    """Of searches [R * B] the best of every image [B]."""
    loss = found.loss.unflatten(0, (many, -1))
    best = loss.argmin(0)  # [B]
    rows = best * loss.shape[1] + torch.arange(loss.shape[1], device=best.device)
    terms = {name: term[rows] for name, term in found.terms.items()}
    return Found(found.z[rows], found.images[rows], found.loss[rows], terms, found.trace[:, rows])
