"""Strokes in files, of a picture's own size, as constraints at a model's resolution."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from roigan.config import PaintParams
from roigan.errors import UserError
from roigan.image_io.colour import alpha_of
from roigan.image_io.lossless import as_channels, look, read_mask, read_picture, size_of
from roigan.image_io.reader import Picture
from roigan.inference.brushes import Constraint, colour, sketch, warp
from roigan.inference.windows import Window, shrunk

COVERED = 0.25  # of a pixel of the model: enough paint to count


class Warp(NamedTuple):
    """The square of `side` around (x, y), moved by (dx, dy); pixels of the picture."""

    x: int
    y: int
    dx: int
    dy: int
    side: int


class Strokes(NamedTuple):
    """What a user asks for; later strokes lie on earlier ones."""

    colours: Sequence[Path] = ()
    """Pictures: their colour where they are not transparent."""
    sketches: Sequence[Path] = ()
    """White lines on black, or on nothing."""
    warps: Sequence[Warp] = ()


def warps(given: Sequence[Sequence[int]]) -> list[Warp]:
    """Of five numbers each; UserError for more or fewer."""
    for numbers in given:
        if len(numbers) != len(Warp._fields):
            said = ",".join(map(str, numbers))
            raise UserError(f"warp {said}: five numbers are needed, x,y,dx,dy,side")
    return [Warp(*numbers) for numbers in given]


def constraints(
    strokes: Strokes, size: tuple[int, int], where: Window, image: Tensor, params: PaintParams
) -> list[Constraint]:
    """What strokes ask of an image.

    size: width and height of the picture; where: the part of it that image [C, S, S] in [-1, 1] shows, whose
    patches the warps move. Raises UserError for strokes of another size, empty ones, and warps outside.
    """
    channels, side = image.shape[0], image.shape[-1]
    found = [colour(*_painted(path, size, where, side, channels)) for path in strokes.colours]
    if strokes.sketches:
        drawn = np.zeros((side, side), bool)
        for path in strokes.sketches:
            drawn |= _drawn(path, size, where, side)
        found.append(sketch(torch.from_numpy(drawn).float()[None].to(image.device), params))
    for stroke in strokes.warps:
        found += warp(image, *scaled(stroke, where, side), params)
    if not found:
        raise UserError("nothing is asked for: give --colour, --sketch or --warp")
    return [each._replace(v=each.v.to(image), B=each.B.to(image)) for each in found]


def _painted(
    path: Path, size: tuple[int, int], where: Window, side: int, channels: int
) -> tuple[Tensor, Tensor]:
    """v [C, S, S] in [-1, 1] and B [1, S, S]."""
    picture = _of_size(path, size)
    alpha = alpha_of(picture)
    if alpha is None:
        raise UserError(
            f"{path} has no alpha channel: nothing says where it is painted; leave the rest clear"
        )
    everywhere = (slice(0, size[1]), slice(0, size[0]))
    paint = look(picture, everywhere, ground=0.0)  # [H, W, 1 or 3], times alpha already
    both = shrunk(np.dstack([as_channels(paint, channels), alpha]), where, side)
    cover = both[..., -1:]
    B = cover >= COVERED
    if not B.any():
        raise UserError(f"{path}: nothing is painted in the square that the model sees")
    v = both[..., :-1] / np.maximum(cover, 1e-6) * 2 - 1
    return torch.from_numpy(v).float().movedim(-1, 0), torch.from_numpy(B).float().movedim(-1, 0)


def _drawn(path: Path, size: tuple[int, int], where: Window, side: int) -> np.ndarray:
    """bool [S, S]: where a line runs through, however thin it becomes."""
    _of_size(path, size)
    lines = shrunk(read_mask(path)[..., None].astype(np.float32), where, side)[..., 0] > 0
    if not lines.any():
        raise UserError(f"{path}: no white line in the square that the model sees")
    return np.asarray(lines)


def scaled(stroke: Warp, where: Window, side: int) -> Warp:
    """In pixels of the model."""
    scale = side / where.side
    x, y = (stroke.x - where.left) * scale, (stroke.y - where.top) * scale
    if not (0 <= x < side and 0 <= y < side):
        numbers = ",".join(map(str, stroke))
        raise UserError(f"warp {numbers}: it begins outside the square that the model sees")
    dx, dy = (round(by * scale) for by in (stroke.dx, stroke.dy))
    return Warp(int(x), int(y), dx, dy, max(1, round(stroke.side * scale)))


def _of_size(path: Path, size: tuple[int, int]) -> Picture:
    picture = read_picture(path)
    if (mine := size_of(picture)) != size:
        raise UserError(f"{path} is {mine[0]}x{mine[1]} pixels, but what it paints on is {size[0]}x{size[1]}")
    return picture
