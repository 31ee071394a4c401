"""Strokes drawn by hand: lines of points in a picture, as constraints at a model's resolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from roigan.config import PaintParams
from roigan.errors import UserError
from roigan.image_io.lossless import as_channels
from roigan.inference.brushes import Constraint, colour, sketch, warp
from roigan.inference.strokes import COVERED, Warp, scaled
from roigan.inference.windows import Window

FINE = 8  # pixels of the drawing across one of the model's
BITS = 4  # of a pixel's fraction, as OpenCV takes coordinates
FAR, THICK = 2**24, 2**14  # beyond these it overflows; either lies outside any drawing


class Line(NamedTuple):
    """One stroke; all in pixels of the picture."""

    brush: str
    """`colour`, `sketch` or `warp`."""
    points: Sequence[tuple[int, int]]
    """x and y, one after the other; of a warp the first and the last count."""
    size: int = 1
    """Across the brush; of a warp, the side of the square that is moved."""
    colour: tuple[int, int, int] = (0, 0, 0)
    """Red, green and blue of a colour, 0 to 255."""


def asked(lines: Sequence[Line], where: Window, image: Tensor, params: PaintParams) -> list[Constraint]:
    """What lines ask of an image [C, S, S] in [-1, 1] that shows the part `where` of the picture and whose
    patches the warps move; all sketches are one drawing. Raises UserError for a line outside that part."""
    side = image.shape[-1]
    found, drawn = list[Constraint](), np.zeros((side, side), bool)
    for number, line in enumerate(lines, 1):
        try:
            if line.brush == "sketch":  # one drawing, since lines share the cells of their outlines
                drawn |= _covered(line, where, side, thinnest=1) > 0
            else:
                found += PIXELS[line.brush](line, where, image, params)
        except UserError as error:
            raise UserError(f"stroke {number}: {error}") from None
    if drawn.any():
        found.append(sketch(torch.from_numpy(drawn).float()[None], params))
    return [each._replace(v=each.v.to(image), B=each.B.to(image)) for each in found]


def _coloured(line: Line, where: Window, image: Tensor, params: PaintParams) -> list[Constraint]:
    B = torch.from_numpy(_covered(line, where, image.shape[-1], thinnest=FINE) >= COVERED).float()[None]
    levels = as_channels(np.array([[line.colour]], np.float32) / 255, len(image))
    v = torch.from_numpy(levels).reshape(-1, 1, 1) * 2 - 1  # [C, 1, 1]
    return [colour(v.expand(-1, *B.shape[1:]), B)]


def _warped(line: Line, where: Window, image: Tensor, params: PaintParams) -> list[Constraint]:
    (x, y), (to_x, to_y) = line.points[0], line.points[-1]
    return warp(image, *scaled(Warp(x, y, to_x - x, to_y - y, line.size), where, image.shape[-1]), params)


PIXELS = {"colour": _coloured, "warp": _warped}


def _covered(line: Line, where: Window, side: int, thinnest: int) -> np.ndarray:
    """float32 [S, S]: the share of every pixel of the model that a line covers; UserError where it is 0
    everywhere. thinnest: of the line, in pixels of the fine drawing."""
    scale = FINE * side / where.side
    corner = np.array([where.left, where.top])
    middles = (np.asarray(line.points) + 0.5 - corner) * scale * 2**BITS
    thickness = min(THICK, max(thinnest, round(line.size * scale)))
    fine = np.zeros((FINE * side, FINE * side), np.uint8)
    points = middles.clip(-FAR, FAR).round().astype(np.int32)
    cv2.polylines(fine, [np.repeat(points, 2, 0)], False, 255, thickness, cv2.LINE_8, BITS)
    if not fine.any():
        raise UserError("it lies outside what the model sees")
    return cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
