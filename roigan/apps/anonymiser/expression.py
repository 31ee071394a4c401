"""The expression of a face given to the new one: its sliders move towards the outlines of eyes and mouth.

The sketch constraint of J.-Y. Zhu et al., Generative Visual Manipulation on the Natural Image Manifold, ECCV
2016, section 4.2, with v = HOG of the original's cells, from frame to frame: c1 = argmin e |f(G(c)) - v|^2 +
lam_s |c - c0|^2 (3), c0 being that of the frame before. What is carried over is taken from the face itself: e
buys expression and sells identity.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from roigan.config import PaintParams
from roigan.inference.brushes import outlines
from roigan.inference.solver import minimise
from roigan.systems.model import Model

EYES = (3 / 8, 5 / 8, 2 / 8, 6 / 8)
MOUTH = (5 / 8, 7 / 8, 2 / 8, 6 / 8)
"""Of the model's window, down and to the right: where they are in the faces that it was trained on."""
STEPS, RATE = 15, 0.1  # of Adam in a frame; it may move a slider by 1.5
STEADY = 0.2  # lam_s


def expressive(model: Model, x: Tensor, M: Tensor, z: Tensor, e: float) -> Tensor:
    """z [B, Z] with sliders moved towards the expressions of faces; noise and codes stay.

    x: [B, C, S, S] in [-1, 1], the faces themselves; M: [B, 1, S, S]; e: the weight of their outlines.
    """
    x, M, before = (tensor.to(model.device) for tensor in (x, M, z))
    noise, sliders = model.sizes[:2]
    z0, c0, k = before.split([noise, sliders, before.shape[1] - noise - sliders], 1)

    def G(c: Tensor) -> Tensor:
        y: Tensor = model.G(x, M, torch.cat([z0, c, k], 1)).y
        return y

    def met(y: Tensor, c: Tensor) -> Tensor:
        return e * distance(y, x, M)

    def steady(y: Tensor, c: Tensor) -> Tensor:
        return STEADY * (c - c0).square().mean(1)

    found = minimise(G, {"expression": met, "smoothness": steady}, c0, "adam", STEPS, RATE, bound=1.0)
    return torch.cat([z0, found.z, k], 1).to(z)


def distance(y: Tensor, x: Tensor, M: Tensor) -> Tensor:
    """|f(y) - f(x)|^2 [B], the mean over the cells of eyes and mouth that a region touches.

    x, y: [B, C, S, S] in [-1, 1]; M: [B, 1, S, S]; 0 where it touches none.
    """
    params = PaintParams()
    f, v = outlines(y, params), outlines(x, params)  # [B, 8, s, s]
    B = face_cells(v) * F.adaptive_max_pool2d(M, v.shape[-1])  # [B, 1, s, s]
    return (B * (f - v).square()).sum((1, 2, 3)) / (B.sum((1, 2, 3)) * v.shape[1]).clamp_min(1)


def face_cells(v: Tensor) -> Tensor:
    """1 in the cells of eyes and mouth, [1, 1, s, s]; v: [B, 8, s, s]."""
    B, side = torch.zeros_like(v[:1, :1]), v.shape[-1]
    for above, below, left, right in (EYES, MOUTH):
        B[..., round(above * side) : round(below * side), round(left * side) : round(right * side)] = 1
    return B
