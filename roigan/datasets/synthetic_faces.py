"""Drawn faces: pictures whose factors are known, to measure which of them a slider controls.

Eyes and mouth lie in the centred square of half the side, so that a region of that shape hides all that can
be known of them; skin, width, hair and ground are seen around it.
"""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
from numpy.typing import ArrayLike

CONTINUOUS = ("skin", "width", "eyes", "iris", "smile", "open")
"""Each in [-1, 1]: dark or light skin, width of the face, size of the eyes, hue of the irises, corners of the
mouth down or up, mouth shut or open."""
DISCRETE = ("hair", "ground")
"""Each one of KINDS: hair short, long or in a bun; colour of the background."""
KINDS = 3
HIDDEN = ("eyes", "iris", "smile", "open")
"""What a region as large as the centred square hides; the others are seen around it."""

FINE = 4  # drawn this many times larger, then averaged
SHIFT = 6  # binary digits of a coordinate behind the point
GROUNDS = ((205, 222, 240), (243, 222, 190), (205, 230, 205))
HAIR, SHIRT, WHITE, DARK = (74, 50, 38), (92, 112, 150), (250, 250, 248), (35, 28, 28)
LIPS, THROAT = (186, 82, 86), (104, 30, 40)
PALE, BROWN = np.array((250, 220, 196)), np.array((132, 86, 60))  # ends of the skin's colours


def draw_factors(count: int, seed: int) -> np.ndarray:
    """Independent and uniform: float64 [count, factors], the continuous ones first."""
    random = np.random.Generator(np.random.PCG64(seed))
    continuous = random.uniform(-1, 1, (count, len(CONTINUOUS)))
    return np.hstack([continuous, random.integers(KINDS, size=(count, len(DISCRETE)))])


def draw_face(factors: np.ndarray, size: int) -> np.ndarray:
    """The picture of one row of `draw_factors`: uint8 [size, size, 3], RGB."""
    skin, width, eyes, iris, smile, opening = factors[: len(CONTINUOUS)] / 2 + 0.5  # in [0, 1]
    hair, ground = (int(kind) for kind in factors[len(CONTINUOUS) :])
    side = 0.19 + 0.07 * width  # half the face's width, in sides of the picture
    face = BROWN + skin * (PALE - BROWN)
    pen = _Pen(size, GROUNDS[ground])

    if hair == 1:  # long: down to the shoulders
        pen.ellipse((0.5, 0.46), (side + 0.07, 0.34), HAIR)
        pen.box((0.5 - side - 0.07, 0.46), (0.5 + side + 0.07, 0.92), HAIR)
    elif hair == 2:  # a bun
        pen.ellipse((0.5, 0.12), (0.1, 0.09), HAIR)
    pen.ellipse((0.5, 1.08), (0.36, 0.24), SHIRT)
    pen.box((0.42, 0.75), (0.58, 0.9), 0.88 * face)
    pen.ellipse((0.5, 0.9), (0.08, 0.04), 0.88 * face)
    for x in (0.5 - side, 0.5 + side):
        pen.ellipse((x, 0.53), (0.035, 0.055), 0.92 * face)
    pen.ellipse((0.5, 0.43), (side + 0.03, 0.26), HAIR)
    pen.ellipse((0.5, 0.53), (side, 0.3), face)
    pen.ellipse((0.5, 0.36), (side + 0.01, 0.16), HAIR, (180, 360))  # the fringe

    reach = 0.7 + 0.6 * eyes
    colour = 255 * np.array(colorsys.hsv_to_rgb(0.75 * iris, 0.75, 0.75))
    for x in (0.4, 0.6):
        pen.line([(x - 0.05, 0.425), (x, 0.41), (x + 0.05, 0.425)], HAIR, 0.016)
        pen.ellipse((x, 0.49), (0.064 * reach, 0.05 * reach), DARK)  # lashes
        pen.ellipse((x, 0.5), (0.062 * reach, 0.048 * reach), WHITE)
        pen.ellipse((x, 0.5), (0.042 * reach, 0.042 * reach), colour)
        pen.ellipse((x, 0.5), (0.02 * reach, 0.02 * reach), DARK)
        pen.ellipse((x + 0.012 * reach, 0.5 - 0.014 * reach), (0.009 * reach, 0.009 * reach), WHITE)
    pen.line([(0.49, 0.57), (0.48, 0.61), (0.51, 0.615)], 0.8 * face, 0.014)

    t = np.linspace(-1, 1, 25)
    bow = 0.64 + (0.06 * smile - 0.02) * (1 - 2 * t**2)  # the upper lip; its corners go up with a smile
    gap = 0.05 * opening * (1 - t**2)
    upper, lower = np.stack([0.5 + 0.1 * t, bow], 1), np.stack([0.5 + 0.1 * t, bow + gap], 1)
    pen.polygon(np.concatenate([upper, lower[::-1]]), THROAT)
    pen.line(upper, LIPS, 0.018)
    pen.line(lower, LIPS, 0.018)
    return pen.picture()


Point = tuple[float, float]


class _Pen:
    """Draws on a canvas of the unit square; colours are RGB of 255."""

    def __init__(self, size: int, ground: tuple[int, int, int]) -> None:
        self.size, self.side = size, size * FINE
        self.canvas = np.full((self.side, self.side, 3), ground, np.uint8)

    def ellipse(
        self, centre: ArrayLike, axes: ArrayLike, colour: ArrayLike, arc: tuple[int, int] = (0, 360)
    ) -> None:
        at, reach = self._fixed(centre).tolist(), self._fixed(axes).tolist()
        cv2.ellipse(self.canvas, at, reach, 0, *arc, _rgb(colour), -1, cv2.LINE_AA, SHIFT)

    def box(self, corner: Point, other: Point, colour: ArrayLike) -> None:
        (left, top), (right, bottom) = corner, other
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour)

    def polygon(self, points: ArrayLike, colour: ArrayLike) -> None:
        cv2.fillPoly(self.canvas, [self._fixed(points)], _rgb(colour), cv2.LINE_AA, SHIFT)

    def line(self, points: ArrayLike, colour: ArrayLike, width: float) -> None:
        thickness = max(1, round(width * self.side))
        cv2.polylines(self.canvas, [self._fixed(points)], False, _rgb(colour), thickness, cv2.LINE_AA, SHIFT)

    def picture(self) -> np.ndarray:
        return cv2.resize(self.canvas, (self.size, self.size), interpolation=cv2.INTER_AREA)

    def _fixed(self, points: ArrayLike) -> np.ndarray:
        """Unit coordinates -> fixed-point pixels."""
        return np.rint(np.asarray(points) * (self.side << SHIFT)).astype(np.int32)


def _rgb(colour: ArrayLike) -> tuple[float, ...]:
    return tuple(np.asarray(colour, float))
