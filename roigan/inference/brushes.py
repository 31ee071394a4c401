"""Brushes: strokes of colour, sketches and warps as constraints f(G(z)) = v on the part B of an image.

J.-Y. Zhu, P. Krähenbühl, E. Shechtman, A. A. Efros, Generative Visual Manipulation on the Natural Image
Manifold, ECCV 2016, section 4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from roigan.config import PaintParams
from roigan.errors import UserError
from roigan.losses.hog import hog


class Constraint(NamedTuple):
    """f(G(z)) = v where B is 1."""

    brush: str
    """`colour` or `sketch`: f."""
    v: Tensor
    """[C, S, S] in [-1, 1], or cells [8, s, s]."""
    B: Tensor
    """[1, S, S] or [1, s, s] in {0, 1}; 1 = constrained."""


def colour(v: Tensor, B: Tensor) -> Constraint:
    """Pixels of a colour: v [C, S, S] in [-1, 1] where B [1, S, S] is 1."""
    return Constraint("colour", torch.where(B > 0.5, v, 0), B)


def stride(size: int) -> int:
    """Side of the cells of outlines in pixels: 8 for images of 64 px, 4 for small ones, as in the paper's
    program."""
    return 8 if size > 32 else 4


def outlines(images: Tensor, params: PaintParams) -> Tensor:
    """Of images [..., C, S, S]: cells [..., 8, s, s]."""
    batch = images.reshape(-1, *images.shape[-3:])
    cells = hog(batch, params.eps, stride(images.shape[-1]))
    return cells.reshape(*images.shape[:-3], *cells.shape[1:])


def sketch(drawing: Tensor, params: PaintParams) -> Constraint:
    """Outlines: white lines on black, [1, S, S] in [0, 1]; cells count whose window has a part of a line."""
    s = stride(drawing.shape[-1])
    v = outlines(drawing * 2 - 1, params)
    touched = F.max_pool2d(drawing[None], 2 * s, s, s // 2)[0]
    return Constraint("sketch", v, (touched > 0.5).to(v))


def warp(image: Tensor, x: int, y: int, dx: int, dy: int, side: int, params: PaintParams) -> list[Constraint]:
    """The square of `side` around (x, y) of an image [C, S, S], moved by (dx, dy): its pixels and outlines.

    What lies beyond the border at either end is left out at both. Raises UserError where nothing is left.
    """
    size = image.shape[-1]
    if side < 1 or not (0 <= x < size and 0 <= y < size):
        raise UserError(f"warp {x},{y},{dx},{dy},{side}: a square of at least 1 pixel inside {size}x{size}")
    (from_x, to_x), (from_y, to_y) = _moved(x, dx, side, size), _moved(y, dy, side, size)
    if not (from_x.stop > from_x.start and from_y.stop > from_y.start):
        raise UserError(f"warp {x},{y},{dx},{dy},{side}: nothing of it stays inside {size}x{size} pixels")
    v, B = image.clone(), torch.zeros_like(image[:1])
    v[:, to_y, to_x] = image[:, from_y, from_x]
    B[:, to_y, to_x] = 1
    cells = (F.avg_pool2d(B, stride(size)) >= 0.5).to(B)  # those that lie in the square
    shape = [Constraint("sketch", outlines(v, params), cells)] if cells.any() else []
    return [colour(v, B), *shape]


def _moved(at: int, by: int, side: int, size: int) -> tuple[slice, slice]:
    """Of a square along one axis: where it is taken, where it is put."""
    low, high = at - side // 2, at - side // 2 + side
    low, high = max(low, 0, -by), min(high, size, size - by)
    return slice(low, high), slice(low + by, high + by)


def layered(constraints: Sequence[Constraint]) -> list[Constraint]:
    """A later stroke of colour lies on the earlier ones; what is hidden goes."""
    kept: list[Constraint] = []
    covered: dict[str, Tensor] = {}
    for stroke in reversed(constraints):
        over = covered.get(stroke.brush)
        seen = stroke.B if over is None or stroke.brush == "sketch" else stroke.B * (1 - over)
        covered[stroke.brush] = stroke.B if over is None else torch.maximum(over, stroke.B)
        if seen.any():
            kept.insert(0, stroke._replace(B=seen))
    return kept


def within(constraints: Sequence[Constraint], M: Tensor) -> list[Constraint]:
    """What of constraints lies in a region M [1, S, S]; UserError where nothing does."""
    kept = []
    for stroke in constraints:
        inside = M if stroke.brush == "colour" else F.adaptive_max_pool2d(M, stroke.B.shape[-1])
        if (B := stroke.B * (inside > 0.5)).any():
            kept.append(stroke._replace(B=B))
    if constraints and not kept:
        raise UserError("no stroke lies in the region")
    return kept
