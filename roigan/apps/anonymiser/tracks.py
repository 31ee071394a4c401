"""Boxes of single frames -> tracks: a face followed through a film, with nothing missing and nothing shaking.

Boxes that overlap are one face's; gaps are filled from both sides; the ends are held, since a face is there
before it is found first and after it is found last; a zero-phase Gaussian steadies what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.ndimage import correlate1d

HOLD = 12  # frames that a face is covered before it is found first and after it is found last
SIGMA = 3.0  # frames, of the Gaussian
OVERLAP = 0.2  # of intersection over union: less is another face
GRID = 64  # parts of a pixel that smoothed numbers are rounded to: rounding noise must not move a window


class Box(NamedTuple):
    """A square in a frame, in pixels; fractions are between them."""

    y: float
    x: float
    """Its centre."""
    side: float
    sure: bool = True
    """Whether it is enough to believe in a face; else it only follows one."""


class Track(NamedTuple):
    """A face from its first frame to its last."""

    first: int
    """Frame of the first box, from 0."""
    raw: list[Box]
    """As found, or filled in."""
    steady: list[Box]
    """The same, smoothed."""
    found: list[bool]
    """Whether the detector has found it."""

    def boxes(self, frame: int) -> tuple[Box, Box] | None:
        """The raw and the steady box of a frame; None where the face is not there."""
        at = frame - self.first
        return (self.raw[at], self.steady[at]) if 0 <= at < len(self.raw) else None

    def lost(self, shape: tuple[int, int]) -> list[int]:
        """Frames in which it was not found, though nothing says that it had left: whose last box touches no
        border of pictures [H, W]."""
        missed = [not found for found in self.found]
        begin, end = self.found.index(True), len(self.found) - 1 - self.found[::-1].index(True)
        if _touches(self.raw[begin], shape):
            missed[:begin] = [False] * begin
        if _touches(self.raw[end], shape):
            missed[end + 1 :] = [False] * (len(missed) - end - 1)
        return [self.first + at for at, lost in enumerate(missed) if lost]


def _touches(box: Box, shape: tuple[int, int]) -> bool:
    """Whether a box reaches the border, or nearly."""
    margin = 0.6 * box.side  # half of it, and a tenth
    return not all(margin <= at <= length - margin for at, length in zip(box[:2], shape, strict=True))


def follow(found: Sequence[Sequence[Box]], hold: int = HOLD) -> list[Track]:
    """The tracks in the boxes of all frames, in the order of their first ones; those without any sure box are
    no faces.

    hold: frames at either end; gaps of up to twice as many are filled: longer ones begin a new track.
    """
    chains = chain(found, gap=2 * hold)
    believed = [seen for seen in chains if any(box.sure for box in seen.values())]
    return [_track(seen, len(found), hold) for seen in believed]


def chain(found: Sequence[Sequence[Box]], gap: int) -> list[dict[int, Box]]:
    """Boxes by frame, of every face: those that overlap most go together, and none has two in one frame.

    gap: frames in a row in which a face may be missed.
    """
    chains: list[dict[int, Box]] = []
    for frame, boxes in enumerate(found):
        alive = [seen for seen in chains if frame - next(reversed(seen)) <= gap + 1]
        last = [next(reversed(seen.values())) for seen in alive]
        squares = np.array([box[:3] for box in (*last, *boxes)])
        shares = overlaps(squares.reshape(-1, 3))[: len(alive), len(alive) :]
        pairs = [(share, a, b) for (a, b), share in np.ndenumerate(shares)]
        taken: dict[int, int] = {}  # box -> chain
        for share, a, b in sorted(pairs, key=lambda pair: -pair[0]):
            if share >= OVERLAP and b not in taken and a not in taken.values():
                taken[b] = a
        for b, box in enumerate(boxes):
            if b in taken:
                alive[taken[b]][frame] = box
            else:
                chains.append({frame: box})
    return chains


def overlaps(squares: np.ndarray) -> np.ndarray:
    """Intersection over union of each two of squares [N, (y, x, side)]: [N, N]."""
    low, high = (squares[:, :2] + sign * squares[:, 2:] / 2 for sign in (-1, 1))
    shared = (np.minimum(high[:, None], high) - np.maximum(low[:, None], low)).clip(0).prod(-1)
    area = squares[:, 2] ** 2
    return np.asarray(shared / (area[:, None] + area - shared))


def _track(seen: dict[int, Box], frames: int, hold: int) -> Track:
    first, last = max(0, min(seen) - hold), min(frames - 1, max(seen) + hold)
    every = np.arange(first, last + 1)
    known = np.array([box[:3] for box in seen.values()])  # [n, 3]
    raw = np.stack([np.interp(every, list(seen), numbers) for numbers in known.T], 1)  # [N, 3]
    return Track(first, _boxes(raw), _boxes(smooth(raw, SIGMA)), [frame in seen for frame in every.tolist()])


def _boxes(numbers: np.ndarray) -> list[Box]:
    return [Box(*row) for row in numbers.tolist()]


def smooth(numbers: np.ndarray, sigma: float) -> np.ndarray:
    """A zero-phase Gaussian over frames, [N, K]: what stands still or moves evenly stays as it is.

    Beyond its ends a series goes on as its reflection in the end point, which keeps its slope.
    """
    reach = round(4 * sigma)
    t = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (t / sigma) ** 2)
    longer = np.pad(numbers, [(reach, reach), (0, 0)], "reflect", reflect_type="odd")
    smoothed = correlate1d(longer, kernel / kernel.sum(), axis=0)[reach:-reach]
    return np.asarray(np.round(smoothed * GRID) / GRID)
