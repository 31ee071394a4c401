"""Painting on pictures of any size with brushes that a model follows: on a whole photograph by way of a
prior's manifold, inside a region by RoI-GAN, or from nothing."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from roigan.config import PaintParams, ProjectParams
from roigan.image_io.lossless import as_channels, look, size_of
from roigan.image_io.lossless import paint as put
from roigan.image_io.reader import Picture
from roigan.inference.brushes import within
from roigan.inference.inpaint import controls
from roigan.inference.manipulation import Canvas, candidates, paint, path, placed, region, whole
from roigan.inference.priors import prior_of
from roigan.inference.projection import project_picture
from roigan.inference.strokes import Strokes, constraints
from roigan.inference.transfer import along, carried, enlarged
from roigan.inference.windows import Window, cut, paste, square, window
from roigan.systems.model import Model

LEAST = 1 / 1024  # a change by less than a quarter of a level of 8 bits is none


def paint_nothing(model: Model, strokes: Strokes, params: PaintParams, generator: torch.Generator) -> Tensor:
    """An image [1, C, S, S] of a prior that meets strokes of the model's own size: the best candidate."""
    prior, canvas = prior_of(model), whole(model)
    z = placed(prior.latent(params.candidates, generator).to(prior.device))
    size = prior.image_size
    asked = constraints(strokes, (size, size), Window(0, 0, size), canvas.G(z[:1])[0], params)
    found = paint(canvas, asked, z, params)
    return found.images[found.loss.argmin()][None].cpu()


def paint_picture(
    model: Model,
    picture: Picture,
    strokes: Strokes,
    params: PaintParams,
    generator: torch.Generator,
    project: ProjectParams | None = None,
) -> Picture:
    """A copy of a picture that follows strokes of its own size.

    Its largest square is projected onto the manifold, the strokes are met there, and what has changed is
    carried over at the picture's own resolution. What does not change stays bit for bit.
    """
    canvas, where = whole(model), square(picture)
    projected = project_picture(model, picture, project or ProjectParams())
    z0 = placed(projected.z)
    asked = constraints(strokes, size_of(picture), where, projected.images[0], params)
    found = paint(canvas, asked, candidates(z0, params, generator), params, z0)
    z1 = found.z[found.loss.argmin()][None]
    return carried_along(canvas, picture, z0, z1, params.frames)


def transfer(
    model: Model, picture: Picture, z0: Tensor, z1: Tensor, t: float = 1.0, frames: int = 8
) -> Picture:
    """A copy of a picture with the edit from z0 to z1 [1, N] of N(0, I), or its part up to t, carried over;
    t = 0 leaves it bit for bit. Raises UserError for a model without whole images."""
    canvas = whole(model)
    start, end = placed(z0), placed(z1)
    return carried_along(canvas, picture, start, start + t * (end - start), frames)


def carried_along(canvas: Canvas, picture: Picture, z0: Tensor, z1: Tensor, frames: int) -> Picture:
    """The edit along a straight path on a prior's canvas, on the largest square of a picture."""
    with torch.no_grad():
        seen = canvas.G(path(z0, z1, frames))
    return carried_over(picture, square(picture), seen)


def carried_over(picture: Picture, where: Window, frames: Tensor) -> Picture:
    """The edit that frames [N, C, S, S] in [-1, 1] show from first to last, on a part of a picture."""
    box = (slice(where.top, where.top + where.side), slice(where.left, where.left + where.side))
    x = look(picture, box)  # [h, w, 1 or 3]
    small = ((frames.movedim(1, -1).float().cpu() + 1) / 2).numpy()
    edit = along([as_channels(frame, x.shape[-1]) for frame in small])
    y = carried(enlarged(edit, x), x).clip(0, 1)
    changed = np.abs(y - x).max(-1) >= LEAST
    return put(picture, box, changed, y)


def paint_region(
    model: Model,
    picture: Picture,
    mask: np.ndarray,
    strokes: Strokes,
    params: PaintParams,
    generator: torch.Generator,
    context: float = 2.0,
) -> Picture:
    """A copy of a picture completed inside a mask (bool [H, W]) so that it follows strokes of its own size.

    Noise and sliders move, codes are drawn. Outside the mask every pixel stays bit for bit.
    """
    model.require("complete")
    sliders, codes = controls(model, [], None)
    where = window(picture, mask, model.image_size, context)
    x, M = (tensor[None] for tensor in cut(picture, mask, where, model.image_size, model.channels))
    canvas, z0 = region(model, x, M, model.latent(1, generator, sliders, codes))
    with torch.no_grad():
        before = canvas.G(z0)[0]
    asked = within(constraints(strokes, size_of(picture), where, before, params), M[0].to(before))
    found = paint(canvas, asked, candidates(z0, params, generator), params, z0)
    y = found.images[found.loss.argmin()].cpu()
    return paste(picture, mask, where, y, model.coordinates)
