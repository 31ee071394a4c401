"""Any picture file's bytes -> uint8 pixels of one size, or the reason why not."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np
from PIL import Image

from roigan.image_io.contents import Unusable
from roigan.image_io.reader import read

BACKGROUND = (255, 255, 255)
"""What transparent pixels are laid on: white, as a browser shows them."""


def decode(content: bytes, min_side: int = 1) -> Image.Image:
    """Decode a picture file into an upright image of mode L (grey) or RGB, 8 bits per channel.

    Transparency is laid on white, CMYK becomes RGB (Pillow's formula, colour profiles are ignored), 16 bits
    are scaled to 8, EXIF rotation is applied. The size is checked in the header, before any pixel is decoded.

    content: the bytes of the file; min_side: the shorter side must have this many pixels.
    Raises Unusable for an unreadable or truncated file, one with several frames or pages, one with a side
    below `min_side`, and one with more pixels than `PIL.Image.MAX_IMAGE_PIXELS` (89 million).
    """
    picture = read(content, exact=False, min_side=min_side, max_pixels=Image.MAX_IMAGE_PIXELS)
    assert isinstance(picture, Image.Image)  # only what is read exactly may be an array
    return _to_eight_bits(picture)


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Any mode that the reader gives -> L or RGB."""
    if image.mode == "F":
        raise Unusable("floating-point pixels have no known range")
    if image.mode.startswith("I"):  # I;16 and its byte orders, or I: 16 bits kept in 32
        return _scale_sixteen_bits(image)
    if image.mode in ("RGBA", "LA"):
        over = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, (*BACKGROUND, 255)), over).convert("RGB")
    if image.mode in ("1", "L"):
        return image.convert("L")
    return image.convert("RGB")


def _scale_sixteen_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)  # [H, W]
    if values.min() < 0 or values.max() > 65535:
        raise Unusable("32-bit pixels have no known range")
    scaled = ((values + 128) // 257).astype(np.uint8)  # rounds value / 257: 65535 becomes 255
    if isinstance(clear := image.info.get("transparency"), int):
        scaled[values == clear] = BACKGROUND[0]
    return Image.fromarray(scaled)


def fit(
    image: Image.Image, size: int, channels: int, crop: int | None = None, squeeze: bool = False
) -> np.ndarray:
    """Bring a decoded image to `size` x `size` pixels.

    The centred square of side `crop` (None: the largest) is resized; with `squeeze` the whole image is.
    channels: 1 (grey, ITU-R 601) or 3. Returns uint8 [size, size, channels]; raises Unusable where the image
    is smaller than the crop.
    """
    if not squeeze:
        width, height = image.size
        side = crop or min(width, height)
        if side > min(width, height):
            raise Unusable(f"{width}x{height} pixels, smaller than the crop of {side}")
        left, top = (width - side) // 2, (height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.LANCZOS)  # averages where it shrinks
    return np.asarray(image).reshape(size, size, channels)


SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp"),
    *(".tif", ".tiff", ".webp", ".ppm", ".pgm", ".avif", ".jp2"),
)
UNSUPPORTED = (".heic", ".heif", ".jxl", ".psd", ".svg", ".raw", ".dng", ".cr2", ".nef")
"""Pictures that nothing here can decode: listed, so that they end up in the table of rejects."""


def is_picture(name: str) -> bool:
    """Whether a path's ending is that of a picture and nothing on the way to it is hidden."""
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return not hidden and not name.endswith("/") and path.suffix.lower() in SUFFIXES + UNSUPPORTED
