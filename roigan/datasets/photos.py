"""The default data: square crops of the colour photographs that scikit-image and scikit-learn ship.

Each picture is cut into three rectangles, for train, val and test, and no crop crosses a border: the splits
never share a pixel.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import NamedTuple

import numpy as np
from PIL import Image

from roigan.errors import UserError
from roigan.image_io.decode import decode

PICTURES = {  # package -> photographs in it; the files are read as they lie, nothing is ever downloaded
    "skimage.data": [
        "astronaut.png", "chelsea.png", "coffee.png", "ihc.png", "motorcycle_left.png", "rocket.jpg",
    ],
    "sklearn.datasets.images": ["china.jpg", "flower.jpg"],
}  # fmt: skip
COUNTS = {"train": 3000, "val": 300, "test": 600}
SIDES = (64, 96, 128)
"""Sides of the crops in the photograph's pixels, equally often; those below the image size are left out."""
HELD_OUT = 0.3
"""Share of a picture's width that val and test get: a strip at its left or right; val has a third of it."""
FLAT = 12.0
"""A crop whose grey levels (0 .. 255) deviate less than this from their mean is drawn again: plain sky."""
TRIES = 50  # draws per crop before the rectangle counts as used up


class Box(NamedTuple):
    """A rectangle of pixels, right and bottom excluded."""

    left: int
    top: int
    right: int
    bottom: int


class Crop(NamedTuple):
    """A square of a photograph, perhaps mirrored."""

    picture: str
    box: Box
    flip: bool

    @property
    def name(self) -> str:
        """For example `coffee.png@120,40+96 mirrored`: left, top, side."""
        left, top, right, _ = self.box
        return f"{self.picture}@{left},{top}+{right - left}{' mirrored' * self.flip}"


def load_pictures() -> dict[str, Image.Image]:
    """File name -> RGB photograph."""
    pictures = {}
    for package, names in PICTURES.items():
        for name in names:
            with as_file(files(package) / name) as path:
                pictures[name] = decode(path.read_bytes()).convert("RGB")
    return pictures


def regions(width: int, height: int, generator: np.random.Generator) -> dict[str, Box]:
    """Cut a picture into disjoint rectangles, one per split; the generator chooses the sides."""
    strip = max(SIDES[-1], round(HELD_OUT * width))
    third = max(SIDES[-1], round(height / 3))
    strip_left, val_above = generator.random(2) < 0.5
    border = strip if strip_left else width - strip
    held = (0, border) if strip_left else (border, width)
    level = third if val_above else height - third
    above, below = Box(held[0], 0, held[1], level), Box(held[0], level, held[1], height)
    return {
        "train": Box(border, 0, width, height) if strip_left else Box(0, 0, border, height),
        "val": above if val_above else below,
        "test": below if val_above else above,
    }


def draw_crops(pictures: dict[str, Image.Image], image_size: int, seed: int) -> dict[str, list[Crop]]:
    """Draw COUNTS different crops per split, none flat, from the pictures in turn.

    A picture whose rectangle yields nothing more (plain sky) leaves the round.

    Raises UserError where a split's rectangles are too small for `image_size`.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    boxes = {name: regions(*picture.size, generator) for name, picture in pictures.items()}
    grey = {name: np.asarray(picture.convert("L"), np.float32) for name, picture in pictures.items()}
    sides = [side for side in SIDES if side >= image_size] or [image_size]
    crops: dict[str, list[Crop]] = {}
    for split, count in COUNTS.items():
        roomy = [name for name in pictures if _sides_that_fit(boxes[name][split], sides)]
        if not roomy:
            raise UserError(
                f"the shipped photographs are too small for data.image_size {image_size}; use 128"
            )
        chosen: dict[Crop, None] = {}  # a set that keeps its order
        while len(chosen) < count and roomy:
            name = roomy.pop(0)
            crop = _draw(name, boxes[name][split], sides, grey[name], chosen, generator)
            if crop is not None:
                chosen[crop] = None
                roomy.append(name)
        crops[split] = list(chosen)
    return crops


def _sides_that_fit(box: Box, sides: list[int]) -> list[int]:
    return [side for side in sides if side <= min(box.right - box.left, box.bottom - box.top)]


def _draw(
    name: str,
    box: Box,
    sides: list[int],
    grey: np.ndarray,
    chosen: dict[Crop, None],
    generator: np.random.Generator,
) -> Crop | None:
    """A crop inside `box` that is neither flat nor chosen before; None where none is found."""
    side = int(generator.choice(_sides_that_fit(box, sides)))
    for _ in range(TRIES):
        left = int(generator.integers(box.left, box.right - side + 1))
        top = int(generator.integers(box.top, box.bottom - side + 1))
        crop = Crop(name, Box(left, top, left + side, top + side), bool(generator.random() < 0.5))
        if crop not in chosen and grey[top : top + side, left : left + side].std() >= FLAT:
            return crop
    return None


def cut(picture: Image.Image, crop: Crop) -> Image.Image:
    """The crop as an image of its own."""
    square = picture.crop(crop.box)
    return square.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if crop.flip else square
