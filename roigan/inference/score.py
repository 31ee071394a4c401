"""How anomalous pictures are: a score each, where it lies among validation images, and a flag."""

from __future__ import annotations

import bisect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from roigan.errors import UserError
from roigan.image_io.contents import Unusable, read_contents
from roigan.image_io.decode import decode, fit
from roigan.image_io.lossless import MAX_BYTES
from roigan.images.arrays import to_float
from roigan.inference.jobs import Failures
from roigan.systems.model import Model

AT_ONCE = 64  # pictures scored at a time: bounds memory only


class Score(NamedTuple):
    """What a model says of a picture."""

    score: float
    """-D(x): higher is more anomalous."""
    percentile: float
    """Share of the normal validation images that score lower, in per cent."""
    flag: bool
    """Whether it lies above the threshold that 95 % of those pass."""
    p: float
    """Conformal p-value (Vovk et al. 2005): of images that are drawn as the validation images were, at most a
    share a has p <= a, whatever the detector. It cannot fall below 1 / (n + 1), n of them."""


def score_pictures(model: Model, pictures: Sequence[Image.Image]) -> list[Score]:
    """A score for each of pictures of any size, brought to the model's as the stage `prepare` does it.

    Raises UserError for a model that cannot score, or that has no validation images to compare with.
    """
    return [score for score, _ in _seen(model, pictures)]


class Seen(NamedTuple):
    """A picture's score, and what the model saw."""

    score: Score
    image: np.ndarray
    """uint8 [S, S, C]."""


def _seen(model: Model, pictures: Sequence[Image.Image]) -> list[Seen]:
    model.require("score")
    if not model.normal:
        raise UserError("the model knows no scores of normal images: its training did not end; train it anew")
    images = [fit(picture, model.image_size, model.channels) for picture in pictures]
    values = model.score(to_float(np.stack(images)).to(model.device)).tolist()
    return [Seen(placed(value, model), image) for value, image in zip(values, images, strict=True)]


def placed(score: float, model: Model) -> Score:
    """A score among those of the normal validation images."""
    n, lower = len(model.normal), bisect.bisect_left(model.normal, score)
    p = (1 + n - lower) / (n + 1)  # the picture itself is one of those that score so high
    return Score(score, 100 * lower / n, score > model.threshold, p)


def score_files(model: Model, files: Sequence[Path], failed: Failures) -> Iterator[tuple[Path, Seen]]:
    """Scores of picture files; what cannot be read is entered into `failed`. Other sizes than the model's are
    resized, which is said once on standard error."""
    resized = False
    for begin in range(0, len(files), AT_ONCE):
        read: dict[Path, Image.Image] = {}
        for file in files[begin : begin + AT_ONCE]:
            with failed.of(file):
                read[file] = _picture(file)
        if not resized and any(picture.size != (model.image_size,) * 2 for picture in read.values()):
            resized = True
            print(f"note: pictures are cut square and resized to {model.image_size} pixels", file=sys.stderr)
        if read:
            yield from zip(read, _seen(model, list(read.values())), strict=True)


def _picture(file: Path) -> Image.Image:
    try:
        return decode(read_contents(file, MAX_BYTES))
    except Unusable as reason:
        raise UserError(f"{file} cannot be read: {str(reason).removeprefix('unreadable: ')}") from None
