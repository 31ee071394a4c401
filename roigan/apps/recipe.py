"""Recipes: the regions of a picture in their order, and what each is filled with; replayed on any number of
pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, ValidationError

from roigan.apps.regions import MOST_REGIONS, Plain, Region
from roigan.errors import UserError, brief

if TYPE_CHECKING:
    from roigan.image_io.reader import Picture
    from roigan.inference.jobs import Failures, Job
    from roigan.systems.model import Model


class Original(Plain):
    """The picture that a recipe was made with."""

    name: str = Field(max_length=1000)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Of the file."""
    width: int = Field(ge=1)
    height: int = Field(ge=1)


class Recipe(Plain):
    """All that was done to a picture."""

    roigan: Literal[1] = 1
    """The version of this format."""
    picture: Original
    regions: list[Region] = Field(min_length=1, max_length=MOST_REGIONS)


# --- masks as runs ---


def mask_of(runs: Sequence[int], height: int, width: int) -> np.ndarray:
    """bool [H, W]; UserError where the runs are not as long as such a mask."""
    lengths = np.asarray(runs, np.int64)
    if (total := int(lengths.sum())) != height * width:
        raise UserError(
            f"the runs add up to {total} pixels, but {width}x{height} pixels are {height * width}"
        )
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(height, width)


def runs_of(mask: np.ndarray) -> list[int]:
    """The shortest runs of a mask bool [H, W]."""
    flat = mask.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths: list[int] = np.diff(changes, prepend=0, append=flat.size).tolist()
    return [0, *lengths] if flat[0] else lengths


# --- filling ---


def fill_regions(
    models: Mapping[str, Model], picture: Picture, regions: Iterable[Region], height: int, width: int
) -> Picture:
    """A copy of the picture with all regions that are shown filled, one after the other: where their windows
    overlap, the later one sees the earlier filling.

    models: by the hash of their weights; height, width: of the picture that the runs were made for. Raises
    UserError for what `complete_picture` refuses and for a model that is not there.
    """
    from roigan.inference.inpaint import complete_picture

    for region in regions:
        if not region.shown:
            continue
        if region.model not in models:
            raise UserError(
                f"a region is filled by a model with the hash {region.model[:16]}, which is not here"
            )
        mask = mask_of(region.runs, height, width)
        picture = complete_picture(
            models[region.model], picture, mask, region.seed, region.c, region.k, region.context, z0=region.z0
        )
    return picture


def read_recipe(path: Path) -> Recipe:
    """Read a recipe's file; UserError in one line for what is none."""
    try:
        return Recipe.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except ValidationError as error:
        raise UserError(f"{path} is no recipe: {complaint(error.errors()[0])}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {brief(error)}") from None


def complaint(error: Mapping[str, object]) -> str:
    """The first of pydantic's errors as one line: where, and what is wrong."""
    location = error["loc"]
    where = ".".join(map(str, location)) if isinstance(location, tuple | list) else ""
    return f"{where + ': ' if where else ''}{error['msg']}"


def replay(recipe: Recipe, models: Mapping[str, Model], jobs: Sequence[Job], failed: Failures) -> None:
    """Do to every picture what was done to the recipe's own, and write it; what cannot be is entered into
    `failed`.

    Every picture gets the same seeds, sliders and codes, and must be of the size of the recipe's own.
    """
    from roigan.image_io.lossless import fit_format, read_picture, save_picture

    height, width = recipe.picture.height, recipe.picture.width
    for job in jobs:
        (out,) = job.outs.values()
        with failed.of(job.image):
            picture = read_picture(job.image)
            try:
                filled = fill_regions(models, fit_format(picture, out), recipe.regions, height, width)
            except UserError as error:
                raise UserError(f"{job.image}: {error}") from None
            save_picture(filled, out)
