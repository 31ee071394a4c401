"""A film anonymised in two passes: where the faces are in all frames, then a new one for each of them.

One z per face, one resampling of a square that moves smoothly: the same frame twice gives the same bytes.
Whatever lies in any region is hidden from the model, so that nothing of a face reaches its own filling or
another's; outside the regions every value is the frame's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from roigan.apps.anonymiser.detect import Where
from roigan.apps.anonymiser.expression import expressive
from roigan.apps.anonymiser.tracks import Box, Track, follow
from roigan.errors import UserError
from roigan.image_io.lossless import shape_of
from roigan.image_io.reader import Picture
from roigan.inference.inpaint import controls
from roigan.inference.jobs import seed_of
from roigan.inference.windows import Window, bounds, cut, paste
from roigan.systems.model import Model

SIDE = 1.7  # of the model's window, in sides of a box: it sees some of hair and neck around the disc
RAISED = 0.15  # how far its centre lies above the box's, in sides: as in the faces it was trained on


class Look(NamedTuple):
    """What decides the new faces."""

    seed: int = 0
    c: Sequence[float] | None = None
    """Sliders in [-1, 1], missing ones 0; None draws them from the seed."""
    k: Sequence[int] | None = None
    """Codes, likewise."""
    expression: float = 0.0
    """How much of a face's own expression is kept, which tells something of it; 0: none."""


class Found(NamedTuple):
    """What the first pass has seen."""

    tracks: list[Track]
    frames: int
    shape: tuple[int, int]
    """Height and width of every frame."""

    def lost(self) -> dict[int, list[int]]:
        """By track: frames (from 0) in which a face was not found, though it had not left."""
        missed = {number: track.lost(self.shape) for number, track in enumerate(self.tracks)}
        return {number: frames for number, frames in missed.items() if frames}


class Piece(NamedTuple):
    """A face in a frame."""

    number: int
    """Of its track, from 0."""
    region: np.ndarray
    """bool [H, W]: what becomes new."""
    where: Window
    """What the model sees."""


def check_model(model: Model, look: Look) -> None:
    """UserError for a model that makes no new pixels in a region, and for controls out of range."""
    model.require("complete")
    if model.coordinates != "identity":
        raise UserError("this model changes colours alone, by which nobody becomes anonymous")
    controls(model, look.c, look.k)
    if look.expression and not model.sliders:
        raise UserError("--expression moves sliders, and this model has none")


def find(frames: Iterable[Picture], where: Where) -> Found:
    """The first pass: all faces, followed. UserError where there is none."""
    boxes, shape = [], (0, 0)
    for number, picture in enumerate(frames):
        boxes.append(where.boxes(number, picture))
        shape = shape_of(picture)
    tracks = follow(boxes, where.hold)
    if not tracks:
        raise UserError(f"no face was found in {len(boxes)} frames; say by --mask where they are")
    return Found(tracks, len(boxes), shape)


def replace(
    model: Model, frames: Iterable[Picture], where: Where, tracks: Sequence[Track | None], look: Look
) -> Iterator[Picture]:
    """The second pass: every frame with new faces. tracks: None for one whose face is kept."""
    sliders, codes = controls(model, look.c, look.k)
    seeds = [own_seed(look.seed, number) for number in range(len(tracks))]
    z = torch.cat(
        [model.latent(1, torch.Generator().manual_seed(seed), sliders, codes) for seed in seeds]
    )  # [faces, Z]
    for frame, picture in enumerate(frames):
        if not (there := pieces(frame, shape_of(picture), where, tracks)):
            yield picture
            continue
        x, M = seen(model, picture, there)
        numbers = [piece.number for piece in there]
        if look.expression:
            z[numbers] = expressive(model, x, M, z[numbers], look.expression)
        y = model.complete(x, M, z[numbers]).cpu()  # [B, C, S, S]
        for piece, filling in zip(there, y, strict=True):
            picture = paste(picture, piece.region, piece.where, filling)
        yield picture


def own_seed(seed: int, number: int) -> int:
    """The seed of a face's z: two people of a film must not get one face."""
    return seed_of(f"{seed} face {number}")


def pieces(frame: int, shape: tuple[int, int], where: Where, tracks: Sequence[Track | None]) -> list[Piece]:
    """The faces of a frame [H, W] that are to be replaced."""
    there = []
    for number, track in enumerate(tracks):
        if track and (boxes := track.boxes(frame)):
            region = where.region(frame, *boxes, shape)
            if region.any():
                there.append(Piece(number, region, window(boxes[1], region)))
    return there


def window(box: Box, region: np.ndarray) -> Window:
    """The square that the model sees of a face: the steady box, enlarged, and in any case all of the region.

    It may reach beyond the frame, where it is mirrored: shifted into it, it would stop while the face moves.
    """
    rows, columns = bounds(region)
    y, x = box.y - RAISED * box.side, box.x
    reach = max(y - rows.start, rows.stop - y, x - columns.start, columns.stop - x)
    side = max(_nearest(SIDE * box.side), math.ceil(2 * reach))
    return Window(_nearest(y - side / 2), _nearest(x - side / 2), side)


def _nearest(number: float) -> int:
    """Halves go up, everywhere: a film that is panned by a pixel must give windows that are."""
    return math.floor(number + 0.5)


def seen(model: Model, picture: Picture, there: Sequence[Piece]) -> tuple[Tensor, Tensor]:
    """What is in the windows: x [B, C, S, S], M [B, 1, S, S]; all regions are hidden in each of them."""
    hidden = np.logical_or.reduce([piece.region for piece in there])
    cuts = [cut(picture, hidden, piece.where, model.image_size, model.channels) for piece in there]
    x, M = (torch.stack(tensors) for tensors in zip(*cuts, strict=True))
    return x, M
