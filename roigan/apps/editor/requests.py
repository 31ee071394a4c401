"""What the page may ask for: the bodies of the verbs, and their limits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Base64Bytes, Field

from roigan.apps.regions import (
    FAR,
    MOST_REGIONS,
    Controls,
    Numbers,
    Plain,
    Point,
    Region,
    Smoothness,
    Strokes,
)

MOST_BYTES = 64 * 2**20
"""Of a body."""
MOST_PIXELS = 40_000_000
"""Of a picture."""
SHOWN_PIXELS = 4_000_000
"""Of what a browser is sent to show a picture."""
AT_ONCE = 16
"""Fillings in one answer."""

Sha = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the file, as PUT /api/pictures gave it")
ModelSha = Field(max_length=64, description="SHA-256 of the weights, as GET /api/models gives it")
Row = Annotated[list[Annotated[float, Field(ge=-1e6, le=1e6)]], Field(max_length=2000)]
Squares = Annotated[list[Annotated[float, Field(ge=0, le=1e12)]], Field(max_length=2000)]
"""Of one candidate; as many as its z has numbers."""


class Draw(Plain):
    """Seeds whose controls are wanted."""

    model: str = ModelSha
    seeds: list[int] = Field(min_length=1, max_length=AT_ONCE)


class Work(Plain):
    """A picture and regions of it, in their order."""

    picture: str = Sha
    regions: list[Region] = Field(min_length=1, max_length=MOST_REGIONS)


class Seen(Plain):
    """A window at the model's size."""

    model: str = ModelSha
    x: Base64Bytes = Field(max_length=2**21, description="PNG of what the model sees")
    M: Base64Bytes = Field(max_length=2**21, description="PNG, white where it generates")


class Fill(Seen):
    """Up to 16 ways to fill a window."""

    fillings: list[Controls] = Field(min_length=1, max_length=AT_ONCE)


class Moments(Plain):
    """Where a search stands: Adam's numbers, one list for every candidate."""

    z: list[Row] = Field(min_length=1, max_length=AT_ONCE)
    """cat(z0, c)."""
    m: list[Row]
    v: list[Squares]
    t: int = Field(ge=0, le=10_000)
    """Steps that were taken."""


class Paint(Seen):
    """Some steps of a search for a filling that follows strokes."""

    top: int = Field(ge=-FAR, le=FAR)
    """Where the window lies in the picture, as /api/window gave it; so are the next two."""
    left: int = Field(ge=-FAR, le=FAR)
    side: int = Field(ge=1, le=FAR)
    strokes: Strokes = Field(min_length=1)
    start: Controls
    """The filling before any stroke: what smoothness holds to, what warps move."""
    begin: Point | None = None
    """Where the first candidate begins, and others around it; None: there."""
    candidates: int = Field(4, ge=1, le=AT_ONCE)
    at: Moments | None = None
    """Where the steps before these have ended; None: these are the first."""
    steps: int = Field(5, ge=1, le=20)
    lam_s: Smoothness


class Along(Seen):
    """The way from one filling to another."""

    k: list[int] = Field(max_length=1000)
    """The codes of both."""
    start: Point
    end: Point
    frames: int = Field(9, ge=2, le=33)


class Project(Plain):
    """A photograph whose place on a manifold is wanted."""

    picture: str = Sha
    model: str = ModelSha
    method: Literal["optimisation", "network", "hybrid"] = "hybrid"
    """By optimisation alone where the model has no network for it."""
    steps: int = Field(50, ge=0, le=50)


class Transfer(Plain):
    """An edit between two places on a manifold, to be carried onto a photograph."""

    picture: str = Sha
    model: str = ModelSha
    z0: Numbers
    z1: Numbers
    t: float = Field(1.0, ge=0, le=1)
    """How far to go."""
    frames: int = Field(8, ge=2, le=16)
    format: Literal["png", "tif"] = "png"


class Render(Work):
    """The exact result: a whole file, what has changed of it, or the mask of all regions."""

    part: Literal["whole", "box", "mask"] = "whole"
    format: Literal["png", "tif"] = "png"
    """Of the whole."""
