"""A photograph's place on the manifold of a prior: x -> z by optimisation, by a network, or by both.

J.-Y. Zhu, P. Krähenbühl, E. Shechtman, A. A. Efros, Generative Visual Manipulation on the Natural Image
Manifold, ECCV 2016, section 3.1. L(a, b) is the mean of (a - b)^2 over pixels and channels, in [-1, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from roigan.config import ProjectParams
from roigan.image_io.lossless import size_of
from roigan.image_io.reader import Picture
from roigan.inference.latent_search import best_start, redrawn
from roigan.inference.priors import check_images, prior_of
from roigan.inference.solver import Found, minimise
from roigan.inference.windows import Window, cut, square
from roigan.losses.reconstruction import squared
from roigan.nets import latent
from roigan.systems.model import Model

AT_ONCE = 64  # images projected at a time: G's maps then stay in the cache
EDGE = 1 - 1e-4  # of U(-1, 1), where the way to N(0, 1) is still finite


class Projector:
    """Projections onto the manifold of a model's prior."""

    def __init__(
        self, model: Model, params: ProjectParams, tick: Callable[[], object] = lambda: None
    ) -> None:
        """tick: called at every look of a search. Raises UserError for a model without whole images, and
        for a method that needs the network P where there is none."""
        self.prior, self.model, self.params, self.tick = prior_of(model), model, params, tick
        if params.method != "optimisation":
            model.require("project")

    def __call__(self, x: Tensor, z: Tensor) -> Found:
        """The best z for every image x [B, C, S, S] in [-1, 1], the same alone or in a batch.

        z [B, N] of N(0, I) is where an optimisation starts. Raises UserError for images of another size.
        """
        check_images(self.prior, x)
        parts = zip(x.to(self.prior.device).split(AT_ONCE), z.split(AT_ONCE), strict=True)
        found = [METHODS[self.params.method](self, *part) for part in parts]
        if len(found) == 1:
            return found[0]
        terms = {name: torch.cat([part.terms[name] for part in found]) for name in found[0].terms}
        return Found(
            torch.cat([part.z for part in found]),
            torch.cat([part.images for part in found]),
            torch.cat([part.loss for part in found]),
            terms,
            _traces([part.trace for part in found]),
        )

    def from_z(self, x: Tensor, z: Tensor) -> Found:
        """argmin_z L(G(z), x) (2), looked for from z [B, N]."""
        params, G = self.params, self.prior.G
        there, back, bound = SPACES[params.space]
        found = minimise(
            lambda v: G(back(v)), {"pixels": lambda images, v: squared(images, x)}, there(z.to(x.device)),
            params.optimizer, params.steps, params.lr, min(bound, params.bound), self.tick,
        )  # fmt: skip
        return found._replace(z=back(found.z))

    def network(self, x: Tensor, z: Tensor) -> Found:
        """P(x) (3), as it is."""
        z = self.model.project(x)
        images = self.prior.generate(z)
        loss = squared(images, x)
        return Found(z, images, loss, {"pixels": loss}, loss[None])

    def hybrid(self, x: Tensor, z: Tensor) -> Found:
        """From P(x): never worse than P."""
        return self.from_z(x, self.model.project(x))

    def optimisation(self, x: Tensor, z: Tensor) -> Found:
        """From `restarts` draws; the search that ends best counts."""
        many = self.params.restarts
        starts = redrawn(z, many).flatten(0, 1)  # [R * B, N]
        return best_start(self.from_z(x.repeat(many, 1, 1, 1), starts), many)


METHODS: dict[str, Callable[[Projector, Tensor, Tensor], Found]] = {
    "optimisation": Projector.optimisation,
    "network": Projector.network,
    "hybrid": Projector.hybrid,
}


# --- Pictures of any size ---


def project_picture(model: Model, picture: Picture, params: ProjectParams) -> Found:
    """The projection of a picture's largest square, at the model's resolution; without P, from z = 0.

    A random z leads to worse images than 0 does (docs/igan.md).
    """
    if "project" not in model.verbs:
        params = params.model_copy(update={"method": "optimisation"})
    project = Projector(model, params)
    x = seen(project.prior, picture, square(picture))
    return project(x, torch.zeros(1, project.prior.sizes.noise))


def seen(prior: Model, picture: Picture, where: Window) -> Tensor:
    """What a prior sees of a part of a picture: x [1, C, S, S] in [-1, 1]."""
    width, height = size_of(picture)
    x, _ = cut(picture, np.zeros((height, width), bool), where, prior.image_size, prior.channels)
    return x[None]


# --- Where a search walks ---


def _same(z: Tensor) -> Tensor:
    return z


def uniform(z: Tensor) -> Tensor:
    """U(-1, 1) of N(0, 1), as `dcgan` hears it."""
    return latent.uniform(z).clamp(-EDGE, EDGE)


def normal(u: Tensor) -> Tensor:
    """Its inverse."""
    return math.sqrt(2) * torch.erfinv(u)


Map = Callable[[Tensor], Tensor]
SPACES: dict[str, tuple[Map, Map, float]] = {
    "normal": (_same, _same, math.inf),
    "uniform": (uniform, normal, EDGE),
}
"""Where a search walks: (z -> v, v -> z, bound of v). In `uniform`, v is what `dcgan` hears, and the bounds
are those of the paper's z; in `normal` they lie behind a smooth map, as with its atanh."""


def _traces(traces: list[Tensor]) -> Tensor:
    """Of parts that have taken different numbers of looks, beside one another: the last value stays."""
    most = max(len(trace) for trace in traces)
    longer = [torch.cat([t, t[-1:].expand(most - len(t), -1)]) for t in traces]
    return torch.cat(longer, 1)
