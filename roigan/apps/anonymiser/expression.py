"""The expression of a face given to the new one: its sliders move towards the outlines of eyes and mouth.

The sketch constraint of J.-Y. Zhu et al., Generative Visual Manipulation on the Natural Image Manifold, ECCV
2016, section 4.2, with v = HOG of the original's cells, from frame to frame: c1 = argmin e |f(G(c)) - v|^2 +
lam_s |c - c0|^2 (3), c0 being that of the frame before. What is carried over is taken from the face itself: e
buys expression and sells identity.
"""

from __future__ import annotations

import torch
from torch import Tensor

from roigan.config import PaintParams
from roigan.inference.brushes import Constraint, outlines, within
from roigan.inference.manipulation import Canvas, paint, region
from roigan.systems.model import Model

EYES = (3 / 8, 5 / 8, 2 / 8, 6 / 8)
MOUTH = (5 / 8, 7 / 8, 2 / 8, 6 / 8)
"""Of the model's window, down and to the right: where they are in the faces that it was trained on."""
STEPS, RATE = 15, 0.1  # of Adam in a frame; it may move a slider by 1.5
STEADY = 0.2  # lam_s


def expressive(model: Model, x: Tensor, M: Tensor, z: Tensor, e: float) -> Tensor:
    """z [1, Z] with its sliders moved towards the expression of a face; noise and codes stay.

    x: [1, C, S, S] in [-1, 1], the face itself; M: [1, 1, S, S]; e: the weight of its outlines.
    """
    wide, moved = region(model, x, M, z)
    noise = model.sizes[0]
    z0, c0 = moved[:, :noise], moved[:, noise:]

    def G(c: Tensor) -> Tensor:
        return wide.G(torch.cat([z0.expand(len(c), -1), c], 1))

    params = PaintParams(sketch=e, lam_s=STEADY, steps=STEPS, lr=RATE)
    asked = within([wanted(x[0].to(moved), params)], M[0].to(moved))
    c = paint(Canvas(G, 1.0), asked, c0, params, c0).z
    return torch.cat([z0, c, z[:, moved.shape[1] :].to(c)], 1).to(z)


def wanted(face: Tensor, params: PaintParams) -> Constraint:
    """The outlines of a face [C, S, S] in the cells of eyes and mouth."""
    v = outlines(face, params)  # [8, s, s]
    B = torch.zeros_like(v[:1])
    for above, below, left, right in (EYES, MOUTH):
        high, wide = v.shape[1:]
        B[:, round(above * high) : round(below * high), round(left * wide) : round(right * wide)] = 1
    return Constraint("sketch", v, B)
