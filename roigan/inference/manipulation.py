"""Steps on z that meet constraints without leaving the manifold, for candidates side by side.

J.-Y. Zhu, P. Krähenbühl, E. Shechtman, A. A. Efros, Generative Visual Manipulation on the Natural Image
Manifold, ECCV 2016, section 3.2: z1 = argmin sum_g w_g |f_g(G(z)) - v_g|^2 + lam_s |z - z0|^2 - lam_D log
D(G(z)). Every term is a mean (over what a brush marks, and over z), so that a large stroke does not drown a
small one. What z moves is a canvas: a whole image of a prior, or a region of RoI-GAN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from roigan.config import PaintParams
from roigan.errors import UserError
from roigan.inference.brushes import Constraint, layered, outlines
from roigan.inference.priors import prior_of, realism
from roigan.inference.projection import normal, uniform
from roigan.inference.solver import Adam, Found, Objective, Search, minimise, walk
from roigan.systems.model import Model

MOST = 64  # constraints
EDGE = 0.99  # of U(-1, 1), as in the paper's program
SHOWN, BEST = 16, 8  # candidates: of so many, those that cost at most twice the mean of the best ones


class Canvas(NamedTuple):
    """What a brush paints on."""

    G: Callable[[Tensor], Tensor]
    """z [B, N] -> images [B, C, S, S], differentiable."""
    bound: Tensor | float
    """Of the numbers of z; one for all, or [N]."""
    realism: Callable[[Tensor], Tensor] | None = None
    """Images -> what D thinks of each [B], where there is a D: less is more real."""


def whole(model: Model) -> Canvas:
    """The images of a prior; its z is U(-1, 1), as in the paper: where N(0, 1) is far out, `dcgan` hears no
    change any more, and nothing would move. Raises UserError for a model that has none."""
    prior = prior_of(model)
    D, cost = prior.nets["D"], realism(prior)
    return Canvas(lambda u: prior.G(normal(u)), EDGE, lambda images: cost(D(images)))


def placed(z: Tensor) -> Tensor:
    """Where z of N(0, I) is on the canvas of a prior."""
    return uniform(z).clamp(-EDGE, EDGE)


def region(model: Model, x: Tensor, M: Tensor, z: Tensor) -> tuple[Canvas, Tensor]:
    """A region of RoI-GAN, and where in it z is: noise z0 and sliders c move, codes k stay.

    x: [1, C, S, S]; M: [1, 1, S, S]; z: [1, Z]. Outside M its images are x bit for bit. Raises UserError for
    a model that does not complete.
    """
    model.require("complete")
    x, M, z = (tensor.to(model.device) for tensor in (x, M, z))
    noise, sliders = model.sizes[:2]
    moved, codes = z.split([noise + sliders, z.shape[1] - noise - sliders], 1)

    def G(v: Tensor) -> Tensor:
        n = len(v)
        completed = model.G(x.expand(n, -1, -1, -1), M.expand(n, -1, -1, -1), joined(v))
        y: Tensor = completed.y
        return y

    def joined(v: Tensor) -> Tensor:
        return torch.cat([v, codes.expand(len(v), -1)], 1)

    bound = torch.cat([torch.full((noise,), 4.0), torch.ones(sliders)]).to(z)
    return Canvas(G, bound), moved


def objectives(
    canvas: Canvas, constraints: Sequence[Constraint], z0: Tensor | None, params: PaintParams
) -> dict[str, Objective]:
    """The terms by name; z0 [1, N], or None where nothing is fixed yet."""
    if len(constraints) > MOST:
        raise UserError(f"{len(constraints)} constraints, but at most {MOST} can be met together")
    terms: dict[str, Objective] = {
        f"{stroke.brush} {i + 1}": _met(stroke, params) for i, stroke in enumerate(layered(constraints))
    }
    if z0 is not None and params.lam_s:
        terms["smoothness"] = lambda images, z: params.lam_s * (z - z0).square().mean(1)
    if params.lam_d:
        if canvas.realism is None:
            raise UserError("lam_d: this model has kept no D; set it to 0")
        judge = canvas.realism
        terms["realism"] = lambda images, z: params.lam_d * judge(images)
    return terms


def _met(stroke: Constraint, params: PaintParams) -> Objective:
    """w |f(G) - v|^2, the mean over what is marked."""
    weight = {"colour": 1.0, "sketch": params.sketch}[stroke.brush]
    count = stroke.B.sum() * len(stroke.v)

    def term(images: Tensor, z: Tensor) -> Tensor:
        f = images if stroke.brush == "colour" else outlines(images, params)
        return weight * (stroke.B * (f - stroke.v).square()).flatten(1).sum(1) / count

    return term


def paint(
    canvas: Canvas,
    constraints: Sequence[Constraint],
    z: Tensor,
    params: PaintParams,
    z0: Tensor | None = None,
) -> Found:
    """Steps from every candidate z [B, N] towards the constraints; the best z of each.

    z0: [1, N], what smoothness holds to; None: nothing. Where there are no terms, nothing moves.
    """
    terms = objectives(canvas, constraints, z0, params)
    if not terms:
        loss = z.new_zeros(len(z))
        with torch.no_grad():
            return Found(z, canvas.G(z), loss, {}, loss[None])
    return minimise(canvas.G, terms, z, "adam", params.steps, params.lr, canvas.bound)


def advance(
    canvas: Canvas, constraints: Sequence[Constraint], at: Adam, params: PaintParams, z0: Tensor | None = None
) -> tuple[Adam, Found]:
    """A part of the way of `paint`: `params.steps` steps from where every candidate stands, and the best z
    that each has met on them."""
    search = Search(canvas.G, objectives(canvas, constraints, z0, params), at.z, canvas.bound)
    at = walk(search, at._replace(z=search.inside(at.z)), params.steps, params.lr)
    assert search.best, "a step begins with a look"
    return at, search.best


def candidates(z0: Tensor, params: PaintParams, generator: torch.Generator) -> Tensor:
    """z0 [1, N] itself, and others around it: [candidates, N]."""
    apart = torch.rand(params.candidates, z0.shape[1], generator=generator) * 2 - 1
    apart[0] = 0
    return z0 + params.spread * apart.to(z0)


def shown(loss: Tensor) -> list[int]:
    """The candidates worth showing, cheapest first; loss: [B]."""
    order = loss.argsort(stable=True)[:SHOWN]
    limit = 2 * loss[order[:BEST]].mean()
    return [int(i) for i in order if loss[i] <= limit]


def path(z0: Tensor, z1: Tensor, frames: int, kind: str = "linear") -> Tensor:
    """From z0 to z1, [1, N] each: [frames, N] with both ends."""
    t = torch.linspace(0, 1, frames, device=z0.device)[:, None]
    return PATHS[kind](z0, z1, t)


def _linear(z0: Tensor, z1: Tensor, t: Tensor) -> Tensor:
    return (1 - t) * z0 + t * z1


def _slerp(z0: Tensor, z1: Tensor, t: Tensor) -> Tensor:
    """Along the arc between the directions, with lengths in between (Shoemake 1985)."""
    cosine = (z0 * z1).sum() / (z0.norm() * z1.norm()).clamp_min(1e-12)
    angle = cosine.clamp(-1, 1).acos()
    if angle.sin() < 1e-4:
        return _linear(z0, z1, t)
    return (((1 - t) * angle).sin() * z0 + (t * angle).sin() * z1) / angle.sin()


PATHS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"linear": _linear, "slerp": _slerp}
