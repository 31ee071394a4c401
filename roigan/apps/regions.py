"""What the page and recipes say of regions: masks, fillings, strokes. Data and its limits alone."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from roigan.inference.jobs import SEEDS

MOST_REGIONS, MOST_RUNS = 16, 4_000_000
Runs = Annotated[list[Annotated[int, Field(ge=0, le=2**31)]], Field(min_length=1, max_length=MOST_RUNS)]
"""A mask as lengths in row-major order, by turns of 0 (first) and 1."""
MOST_STROKES, MOST_POINTS, FAR = 64, 2000, 100_000
Place = Annotated[int, Field(ge=-FAR, le=FAR)]
Level = Annotated[int, Field(ge=0, le=255)]
Numbers = Annotated[list[Annotated[float, Field(ge=-1000, le=1000)]], Field(max_length=1000)]
"""As they come and go as float32."""


class Plain(BaseModel):
    """Data of which every key is known and every number finite; it cannot be changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Controls(Plain):
    """What decides a filling, beside the model and what it sees."""

    seed: int = Field(0, ge=0, lt=SEEDS)
    """Of the noise z0, and of the controls that are not given."""
    c: Numbers | None = None
    """Sliders in [-1, 1]; None draws them from the seed, missing ones are 0."""
    k: list[int] | None = Field(None, max_length=1000)
    """Values of the codes, likewise."""
    z0: Numbers | None = None
    """The noise itself, in place of the seed's: where a brush has moved it."""


class Point(Plain):
    """What a brush moves: a place among a model's latent vectors."""

    z0: Numbers
    c: Numbers


class Stroke(Plain):
    """One stroke of a brush, in pixels of the picture."""

    brush: Literal["colour", "sketch", "warp"]
    points: list[tuple[Place, Place]] = Field(min_length=1, max_length=MOST_POINTS)
    """x and y, one after the other; of a warp the first and the last count."""
    size: int = Field(1, ge=1, le=FAR)
    """Across the brush; of a warp, the side of the square that is moved."""
    colour: tuple[Level, Level, Level] = (0, 0, 0)
    """Red, green, blue."""


Strokes = Annotated[list[Stroke], Field(max_length=MOST_STROKES)]
Smoothness = Annotated[float, Field(ge=0, le=100)]
"""lam_s: of the mean square of what z has moved, beside the strokes."""


class Walk(Plain):
    """The way from a filling without its strokes to the one that follows them; the region's own z0 and c lie
    somewhere on it."""

    start: Point
    end: Point
    t: float = Field(1.0, ge=0, le=1)
    """Where; by this number the page's slider stands."""


class Painted(Plain):
    """How a region came to its z0 and c: for the page, which goes on from here. Nothing is computed from it
    where a recipe is replayed."""

    strokes: Strokes = []
    lam_s: Smoothness
    path: Walk | None = None


class Region(Controls):
    """A region of a picture and its filling."""

    name: str = Field("", max_length=200)
    shown: bool = True
    """Whether it is filled; a hidden one is kept for later."""
    model: str = Field(max_length=64)
    """The SHA-256 of its weights."""
    runs: Runs
    context: float = Field(2.0, ge=1, le=1e6)
    """The side of the window that the model sees, in sides of the region."""
    paint: Painted | None = None
