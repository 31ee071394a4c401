"""Grids of images as one picture: contact sheets, samples, figures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from roigan.files.atomic import writing


def grid(images: np.ndarray, columns: int, gap: int = 2) -> np.ndarray:
    """Lay images out row by row on white.

    images: uint8 [N, H, W, C] with C in {1, 3}; returns uint8 [rows*(H+gap)+gap, columns*(W+gap)+gap, 3].
    """
    n, height, width, _ = images.shape
    rows = -(-n // columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = gap + i // columns * (height + gap), gap + i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image  # one channel broadcasts to three
    return sheet


def png(picture: np.ndarray) -> bytes:
    """A uint8 [H, W, 1 or 3] picture as the content of a PNG file."""
    content = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(content, "png")
    return content.getvalue()


def save_png(path: Path, picture: np.ndarray) -> None:
    """Write a uint8 [H, W, 1 or 3] picture, making its folder; UserError where the system refuses."""
    with writing(path) as unfinished:
        unfinished.write_bytes(png(picture))
