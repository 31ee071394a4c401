"""What the page may ask for: the bodies of the verbs, and their limits."""

from __future__ import annotations

from typing import Literal

from pydantic import Base64Bytes, Field

from roigan.apps.recipe import MOST_REGIONS, Controls, Plain, Region

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


class Draw(Plain):
    """Seeds whose controls are wanted."""

    model: str = ModelSha
    seeds: list[int] = Field(min_length=1, max_length=AT_ONCE)


class Work(Plain):
    """A picture and regions of it, in their order."""

    picture: str = Sha
    regions: list[Region] = Field(min_length=1, max_length=MOST_REGIONS)


class Fill(Plain):
    """A window at the model's size, and up to 16 ways to fill it."""

    model: str = ModelSha
    x: Base64Bytes = Field(max_length=2**21, description="PNG of what the model sees")
    M: Base64Bytes = Field(max_length=2**21, description="PNG, white where it generates")
    fillings: list[Controls] = Field(min_length=1, max_length=AT_ONCE)


class Render(Work):
    """The exact result: a whole file, what has changed of it, or the mask of all regions."""

    part: Literal["whole", "box", "mask"] = "whole"
    format: Literal["png", "tif"] = "png"
    """Of the whole."""
