"""A picture that a source lists, not yet decoded, and how lists of them are divided."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from roigan.config import DataParams
from roigan.datasets.folders import Files
from roigan.errors import UserError
from roigan.files.paths import home
from roigan.image_io.decode import decode, fit

SPLITS = ("train", "val", "test")


class Item(NamedTuple):
    """One picture, not yet decoded."""

    id: str
    """Unique in the source and the same on every machine."""
    source: str
    """The file or photograph it comes from, as the manifest names it."""
    read: Callable[[], np.ndarray]
    """Decodes to uint8 [S, S, C]; raises Unusable."""
    label: int | None = None


Splits = dict[str, list[Item]]


def generator_of(params: DataParams, purpose: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([params.seed, purpose]))


def seeded_split(items: list[Item], params: DataParams) -> Splits:
    """Cut a random order at the shares of data.split."""
    order = generator_of(params, purpose=2).permutation(len(items))
    val, test = (round(share * len(items)) for share in params.split[1:])
    train = max(0, len(items) - val - test)
    parts = np.split(order, [train, train + val])
    return {split: [items[i] for i in sorted(part)] for split, part in zip(SPLITS, parts, strict=True)}


def take_val_from_train(train: list[Item], test: list[Item], params: DataParams) -> Splits:
    """For sources with a test set only: val is the share data.split[1] of train."""
    order = generator_of(params, purpose=2).permutation(len(train))
    count = round(params.split[1] * len(train))
    val = [train[i] for i in sorted(order[:count])]
    return {"train": [train[i] for i in sorted(order[count:])], "val": val, "test": test}


def array_items(name: str, images: np.ndarray, labels: np.ndarray, params: DataParams) -> list[Item]:
    """images: uint8 [N, H, W], grey, or [N, H, W, 3]; labels: int [N]."""
    return [
        Item(f"{name}/{i:05d}", name, partial(fit_array, image, params), int(label))
        for i, (image, label) in enumerate(zip(images, labels, strict=True))
    ]


def fit_array(image: np.ndarray, params: DataParams) -> np.ndarray:
    return fit(Image.fromarray(image), params.image_size, params.channels)


def file_item(
    files: Files, name: str, params: DataParams, crop: int | None, label: int | None = None
) -> Item:
    return Item(name, name, partial(_fit_file, files, name, params, crop), label)


def _fit_file(files: Files, name: str, params: DataParams, crop: int | None) -> np.ndarray:
    min_side = params.min_side or params.image_size // 2
    image = decode(files.read(name), min_side)
    return fit(image, params.image_size, params.channels, crop, params.resize == "squeeze")


def path_of(params: DataParams) -> Path:
    """data.path from the project's home, so that queued experiments, which run elsewhere, find it too."""
    if not params.path:
        raise UserError(f"data.source {params.source} needs data.path, a folder or zip of images")
    return home() / Path(params.path).expanduser()
