"""What a served model answers, verb by verb: MLflow's input by name and parameters -> an array.

UserError for what cannot be done. How each is called: `services.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image

from roigan.config import ProjectParams
from roigan.errors import UserError
from roigan.images.arrays import to_uint8
from roigan.inference.generate import generate_images
from roigan.inference.inpaint import complete_pictures
from roigan.inference.jobs import SEEDS
from roigan.inference.projection import project_picture
from roigan.inference.score import score_pictures
from roigan.systems.model import Model

Given = Mapping[str, Any]


def complete(model: Model, given: Given, parameters: Given) -> np.ndarray:
    """Equal to `image` outside `mask` (>= 128: generate), the same for the same `seed`.

    `c` (sliders in [-1, 1]) and `k` (codes): missing numbers are 0, empty lists are drawn from the seed.
    """
    images, masks = np.asarray(given["image"]), np.asarray(given["mask"])
    _check(images, masks)
    seed = _seed(parameters.get("seed", 0))
    regions = [mask[..., 0] >= 128 for mask in masks]
    c, k = _list(parameters.get("c")), _list(parameters.get("k"))
    completed = complete_pictures(model, _pictures(images), regions, seed, c, k)
    return np.stack([np.asarray(picture).reshape(images.shape[1:]) for picture in completed])


def generate(model: Model, given: Given, parameters: Given) -> np.ndarray:
    """A picture for every `seed`, the same whatever stands beside it."""
    seeds = np.asarray(given["seed"]).ravel().tolist()
    if not seeds:
        raise UserError("seed is empty; give one number for every picture")
    return to_uint8(generate_images(model, [_seed(seed) for seed in seeds]))


def score(model: Model, given: Given, parameters: Given) -> np.ndarray:
    """Of every `image`: score (higher = more anomalous), percentile among normal images, flag (0 or 1), p."""
    images = np.asarray(given["image"])
    _check(images, images)
    return np.array(score_pictures(model, _pictures(images)), np.float64)


def project(model: Model, given: Given, parameters: Given) -> np.ndarray:
    """The model's own image that is nearest to the largest square of each `image`."""
    images = np.asarray(given["image"])
    _check(images, images)
    found = [project_picture(model, picture, ProjectParams()).images for picture in _pictures(images)]
    return to_uint8(torch.cat(found))


ANSWERS = {"complete": complete, "generate": generate, "score": score, "project": project}


def _pictures(images: np.ndarray) -> list[Image.Image]:
    return [Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image) for image in images]


def _seed(given: Any) -> int:
    seed = int(given)
    if not 0 <= seed < SEEDS:
        raise UserError(f"seed is {seed}, but seeds go from 0 to 2^63 - 1")
    return seed


def _check(images: np.ndarray, masks: np.ndarray) -> None:
    if images.shape[:3] != masks.shape[:3] or not images.size:
        shapes = f"images {list(images.shape)} and masks {list(masks.shape)}"
        raise UserError(f"{shapes} must agree in their first three sizes, and be at least one pixel")
    pixels, limit = int(np.prod(images.shape[:3])), Image.MAX_IMAGE_PIXELS
    if limit is not None and pixels > limit:
        raise UserError(f"{pixels} pixels in one request; the limit is {limit}")


def _list(numbers: Any) -> list[Any] | None:
    """An empty list stands for "not given": MLflow's parameters have no None."""
    return None if numbers is None or len(numbers) == 0 else np.asarray(numbers).tolist()
