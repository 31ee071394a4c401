"""Colours given by hand: some pixels keep them, and what is near and as light is drawn to them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from roigan.corruptions.corruption import SPACES, Corruption
from roigan.errors import UserError
from roigan.image_io.colour import alpha_of
from roigan.image_io.lossless import as_channels, look, paint, read_picture, shape_of
from roigan.image_io.reader import Picture
from roigan.images.hints import spread
from roigan.inference.windows import Window, bounds, joined, shrunk

SPACE = "lab"


class Hints(NamedTuple):
    """Colours of some pixels of a picture."""

    colours: np.ndarray
    """float32 [H, W, 3] in [0, 1]; their lightness does not count."""
    known: np.ndarray
    """bool [H, W]: where they are given."""


def read_hints(path: Path) -> Hints:
    """The opaque pixels (alpha >= 1/2) of a picture; UserError where there are none, or no alpha."""
    picture = read_picture(path)
    alpha = alpha_of(picture)
    if alpha is None:
        raise UserError(f"--hints {path} has no alpha channel: leave clear what is not given")
    known = alpha >= 0.5
    if not known.any():
        raise UserError(f"--hints {path} is clear everywhere: no colour is given")
    everywhere = (slice(0, known.shape[0]), slice(0, known.shape[1]))
    mixed = as_channels(look(picture, everywhere, ground=0.0), 3)  # times alpha
    return Hints(mixed / np.maximum(alpha, 0.5)[..., None], known)


def check_hints(picture: Picture, space: str, hints: Hints) -> None:
    """Raise UserError for hints of another size, or for a model that makes whole pixels."""
    if space != SPACE:
        raise UserError("--hints want a model that generates colours and keeps the lightness")
    (height, width), (high, wide) = shape_of(picture), hints.known.shape
    if (height, width) != (high, wide):
        raise UserError(f"the hints are {wide}x{high} pixels, the picture {width}x{height}; they must agree")


def tinted(picture: Picture, mask: np.ndarray, hints: Hints) -> Picture:
    """A copy with the colours that are given inside the mask, on the picture's own lightness."""
    known = mask & hints.known
    if not known.any():
        return picture
    box = bounds(known)
    seen, made = look(picture, box), _coordinates(hints.colours[box])
    return paint(picture, box, known[box], joined(seen, (made + 1) / 2, known[box], SPACE))


def hinted(y: Tensor, where: Window, mask: np.ndarray, hints: Hints) -> Tensor:
    """A completion y [C, S, S] in [-1, 1] of the window, its colours drawn to those given inside the mask."""
    known = (mask & hints.known)[..., None].astype(np.float32)
    given = np.dstack([_coordinates(hints.colours)[..., 1:] * known, known])  # [H, W, 3]
    small = shrunk(given, where, y.shape[-1])  # [S, S, 3]
    weight = torch.from_numpy(small[..., 2])
    ab = torch.from_numpy(small[..., :2]).movedim(-1, 0) / weight.clamp_min(1e-6)
    t = spread(SPACES[SPACE].to(y[None])[0], ab, weight / weight.max().clamp_min(1e-6))
    return Corruption.region(SPACE, torch.ones_like(y[None, :1])).joined(y[None], t[None])[0]


def _coordinates(colours: np.ndarray) -> np.ndarray:
    """RGB [H, W, 3] in [0, 1] -> the coordinates of the space, [H, W, 3]."""
    x = torch.from_numpy(colours).movedim(-1, 0)[None] * 2 - 1
    return SPACES[SPACE].to(x)[0].movedim(0, -1).numpy()
