"""Pictures in files and in memory, in their own mode and depth: read, looked at, painted on, saved.

A picture is a Pillow image (modes 1, L, LA, RGB, RGBA, CMYK, I;16, I, F; whatever else there is becomes RGB
or RGBA when it is read, palettes among them) or, for colour with 16 bits, which Pillow does not know, an
array uint16 [H, W, 3 or 4].
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from roigan.errors import UserError
from roigan.files.atomic import writing
from roigan.image_io import metadata
from roigan.image_io.contents import Unusable, read_contents
from roigan.image_io.reader import NUMBERS, Picture, read

Box = tuple[slice, slice]

MAX_BYTES = 2**32  # twice what the largest picture that is read takes uncompressed
LUMINANCE = np.array([[0.299], [0.587], [0.114]], np.float32)  # ITU-R 601, as in Pillow
AT_ONCE = 2**20  # pixels that are looked at together: as floats they take 16 bytes each, and more


# --- files ---


def read_picture(path: Path) -> Picture:
    """Read a picture, turned upright as its EXIF orientation says.

    `info` has its resolution, gamma, colour profile and EXIF. A pipe is read to its end. Raises UserError
    where the picture cannot be read as it is.
    """
    try:
        return open_picture(read_contents(path, MAX_BYTES, pipes=True))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except NotFinite as reason:
        raise UserError(f"{path} {reason}") from None
    except Unusable as reason:
        raise UserError(f"{path} cannot be read: {str(reason).removeprefix('unreadable: ')}") from None


class NotFinite(Unusable):
    """A picture of numbers that have no black and white to map to."""


def open_picture(content: bytes, max_pixels: int | None = None) -> Picture:
    """The picture that a file's bytes hold, as `read_picture` gives it; raises Unusable."""
    picture = read(content, exact=True, max_pixels=max_pixels)
    finite = isinstance(picture, np.ndarray) or picture.mode != "F" or np.isfinite(np.asarray(picture)).all()
    if not finite:
        raise NotFinite("holds numbers that are not finite (NaN, inf); replace them first")
    return picture


def read_mask(path: Path) -> np.ndarray:
    """Read a mask of any mode; see `as_mask`."""
    return as_mask(read_picture(path))


def as_mask(picture: Picture) -> np.ndarray:
    """What a picture means as a mask: bool [H, W], True where it is white (>= 128 of 255) and not
    transparent."""
    mask = [seen.mean(-1) * 255 >= 127.5 for seen in bands(picture, ground=0.0)]
    return np.concatenate(mask)


def save_picture(picture: Picture, path: Path) -> None:
    """Write a picture with its resolution, gamma, colour profile and EXIF, as .png or .tif: other formats may
    alter pixels.

    A TIFF holds no gamma and, of 16-bit colour, none of them, which is said on standard error. Raises
    UserError where it cannot be written.
    """
    if (
        isinstance(picture, np.ndarray)
        and path.suffix.lower() != ".png"
        and _info(picture).get("icc_profile")
    ):
        print(
            f"note: {path}: 16-bit colour loses its profile in TIFF; write .png to keep it", file=sys.stderr
        )
    with writing(path) as unfinished:
        unfinished.write_bytes(encode(picture, path.suffix.lower()))


def _info(picture: Picture) -> dict[Any, Any]:
    return getattr(picture, "info", {})


def encode(picture: Picture, ending: str) -> bytes:
    """The bytes of a file, ".png" or ".tif"; left to write them itself, Pillow overlooks a full disk."""
    if isinstance(picture, np.ndarray):
        order = cv2.COLOR_RGB2BGR if picture.shape[-1] == 3 else cv2.COLOR_RGBA2BGRA
        encoded = cv2.imencode(ending, cv2.cvtColor(np.asarray(picture), order))[1].tobytes()
        return metadata.add_to_png(encoded, _info(picture)) if ending == ".png" else encoded
    content = io.BytesIO()
    kind = Image.registered_extensions()[ending]
    picture.save(content, kind, **metadata.options(picture.info, kind))
    return content.getvalue()


def fit_format(picture: Picture, path: Path) -> Picture:
    """The picture in a mode that the format of `path` can hold: in PNG, CMYK becomes RGB.

    Raises UserError for 32-bit pictures in PNG.
    """
    if isinstance(picture, np.ndarray) or path.suffix.lower() != ".png":
        return picture
    if picture.mode == "CMYK":
        converted = picture.convert("RGB")
        converted.info.pop("icc_profile", None)  # a profile of CMYK
        return converted
    if picture.mode in ("I", "F"):
        raise UserError("PNG holds no 32-bit pictures; complete this one by itself, with --out NAME.tif")
    return picture


# --- memory ---


def size_of(picture: Picture) -> tuple[int, int]:
    """Width and height in pixels."""
    height, width = shape_of(picture)
    return width, height


def look(picture: Picture, box: Box, ground: float = 1.0) -> np.ndarray:
    """What a part of a picture looks like, laid on grey: float32 [h, w, 1 or 3] in [0, 1]."""
    return _look(picture, box, ground, _range(picture))


def bands(picture: Picture, ground: float = 1.0) -> Iterator[np.ndarray]:
    """All of a picture as `look` shows it, some rows at a time: float32 [h, W, 1 or 3] in [0, 1]."""
    height, width = shape_of(picture)
    scale = _range(picture)
    rows = max(1, AT_ONCE // width)
    for top in range(0, height, rows):
        yield _look(picture, (slice(top, min(top + rows, height)), slice(0, width)), ground, scale)


def shape_of(picture: Picture) -> tuple[int, int]:
    """Height and width in pixels."""
    height, width = picture.shape[:2] if isinstance(picture, np.ndarray) else picture.size[::-1]
    return height, width


def _look(picture: Picture, box: Box, ground: float, scale: tuple[float, float]) -> np.ndarray:
    """scale: what counts as black and as white in a picture of numbers."""
    seen: np.ndarray
    if isinstance(picture, np.ndarray):
        seen = np.asarray(picture[box]).astype(np.float32) / np.iinfo(picture.dtype).max
    elif picture.mode in NUMBERS:
        low, high = scale
        numbers = np.asarray(_crop(picture, box))  # cut before it is converted
        seen = (numbers[..., None].astype(np.float32) - low) / (high - low)
    else:
        part = _crop(picture, box)
        part = part.convert({"1": "L", "CMYK": "RGB"}.get(part.mode, part.mode))
        seen = np.asarray(part, np.float32).reshape(part.height, part.width, -1) / 255
    if seen.shape[-1] in (2, 4):
        colour, alpha = seen[..., :-1], seen[..., -1:]
        seen = colour * alpha + ground * (1 - alpha)
    return seen.astype(np.float32)


def paint(picture: Picture, box: Box, mask: np.ndarray, filled: np.ndarray) -> Picture:
    """A copy of the picture with new, opaque pixels inside `box` where mask is True; all others untouched.

    mask: bool [h, w]; filled: float [h, w, 1 or 3] in [0, 1].
    """
    if isinstance(picture, np.ndarray):
        white = np.iinfo(picture.dtype).max
        values = np.full((*mask.shape, picture.shape[-1]), white, picture.dtype)  # alpha stays so
        values[..., :3] = np.rint(as_channels(filled, 3) * white)
        return _with(picture, box, mask, values)
    if picture.mode in NUMBERS:
        low, high = _range(picture)
        level = as_channels(filled, 1)[..., 0].astype(np.float64) * (high - low) + low
        numbers = np.asarray(picture)
        values = (level if numbers.dtype.kind == "f" else np.rint(level)).astype(numbers.dtype)
        if isinstance(clear := picture.info.get("transparency"), int):  # 16 bits have no alpha channel here
            values[values == clear] ^= 1
        painted = Image.fromarray(_with(numbers, box, mask, values))
        painted.info = picture.info
        return painted
    grey = picture.mode in ("1", "L", "LA")
    levels = np.rint(as_channels(filled, 1)[..., 0] * 255 if grey else as_channels(filled, 3) * 255).astype(
        np.uint8
    )
    painted = picture.copy()
    patch = Image.fromarray(levels).convert(picture.mode)
    painted.paste(patch, (box[1].start, box[0].start), Image.fromarray(mask))
    return painted


def _with(array: np.ndarray, box: Box, mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy[box][mask] = values[mask]
    return copy


def as_channels(seen: np.ndarray, channels: int) -> np.ndarray:
    """Grey or colour [h, w, 1 or 3] -> [h, w, channels]: grey is repeated, colour becomes its luminance."""
    if seen.shape[-1] == channels:
        return seen
    return np.repeat(seen, 3, -1) if channels == 3 else seen @ LUMINANCE


def _crop(picture: Image.Image, box: Box) -> Image.Image:
    (top, bottom, _), (left, right, _) = box[0].indices(picture.height), box[1].indices(picture.width)
    return picture.crop((left, top, right, bottom))


def _range(picture: Picture) -> tuple[float, float]:
    """What counts as black and as white in a picture of numbers: of 32 bits, the smallest usual range that
    holds all of them, hidden ones included."""
    if isinstance(picture, np.ndarray) or picture.mode not in ("I", "F"):
        return 0.0, 65535.0
    numbers = np.asarray(picture)
    low, high = float(numbers.min()), float(numbers.max())
    for usual in (1.0, 255.0, 65535.0) if picture.mode == "F" else (255.0, 65535.0):
        if low >= 0 and high <= usual:
            return 0.0, usual
    return low, high if high > low else low + 1
