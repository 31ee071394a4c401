"""Brushes in a window: a search for a filling that follows strokes, step by step, and the way there."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from roigan.apps.editor.requests import Along, Moments, Paint
from roigan.apps.editor.verbs import decoded, strip, text
from roigan.config import PaintParams
from roigan.errors import UserError
from roigan.inference.brushes import within
from roigan.inference.inpaint import latent
from roigan.inference.lines import Line, asked
from roigan.inference.manipulation import advance, candidates, path, region
from roigan.inference.solver import Adam
from roigan.inference.windows import Window
from roigan.systems.model import Model


def paint(model: Model, given: Paint) -> dict[str, Any]:
    """Some steps towards the strokes.

    `at`, for the next request; of every candidate the best filling that these steps met (z0, c, and what it
    costs, by terms too), side by side in `y`; `start` in numbers. Raises UserError for what does not fit the
    model.
    """
    x, M = decoded(model, given.x, given.M)
    start = latent(model, given.start.seed, given.start.c, given.start.k, given.start.z0)
    canvas, z0 = region(model, x, M, start)
    if not z0.shape[1]:
        raise UserError(f"{model.system} has neither noise nor sliders, so no brush moves it")
    params = PaintParams(steps=given.steps, lam_s=given.lam_s, candidates=given.candidates)
    with torch.no_grad():
        before = canvas.G(z0)[0]
    lines = [Line(**stroke.model_dump()) for stroke in given.strokes]
    strokes = asked(lines, Window(given.top, given.left, given.side), before, params)
    at = _first(model, given, z0, params) if given.at is None else _resumed(given.at, z0)
    at, found = advance(canvas, within(strokes, M[0].to(before)), at, params, z0)
    moments = {name: getattr(at, name).double().tolist() for name in ("z", "m", "v")}
    terms = [{name: float(term[i]) for name, term in found.terms.items()} for i in range(len(found.z))]
    costs = [{"cost": float(loss), "terms": own} for loss, own in zip(found.loss, terms, strict=True)]
    return {
        "at": moments | {"t": at.t},
        "found": [point(model, z) | cost for z, cost in zip(found.z, costs, strict=True)],
        "start": point(model, z0[0]),
        "y": text(strip(found.images)),
    }


def along(model: Model, given: Along) -> bytes:
    """PNG of the fillings from `start` to `end`, both included, side by side; UserError as above."""
    x, M = decoded(model, given.x, given.M)
    ends = [latent(model, 0, end.c, given.k, end.z0) for end in (given.start, given.end)]
    (canvas, z0), (_, z1) = (region(model, x, M, end) for end in ends)
    with torch.no_grad():
        return strip(canvas.G(path(z0, z1, given.frames)))


def point(model: Model, z: Tensor) -> dict[str, list[float]]:
    """A place of a region's canvas, z [noise + sliders], as the page stores it."""
    numbers = z.double().tolist()
    return {"z0": numbers[: model.sizes.noise], "c": numbers[model.sizes.noise :]}


def _first(model: Model, given: Paint, z0: Tensor, params: PaintParams) -> Adam:
    """Before the first step: the candidates."""
    begin = z0
    if given.begin is not None:
        controls = latent(model, given.start.seed, given.begin.c, given.start.k, given.begin.z0)
        begin = controls[:, : z0.shape[1]].to(z0)
    return Adam.begin(candidates(begin, params, torch.Generator().manual_seed(given.start.seed)))


def _resumed(at: Moments, z0: Tensor) -> Adam:
    """After the steps of an earlier request."""
    rows, numbers = (at.z, at.m, at.v), z0.shape[1]
    if any(len(each) != len(at.z) or any(len(row) != numbers for row in each) for each in rows):
        raise UserError(f"at: z, m and v are as many lists as there are candidates, of {numbers} numbers")
    z, m, v = (torch.tensor(each).to(z0) for each in rows)
    return Adam(z, m, v, at.t)
