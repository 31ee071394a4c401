"""A picture file's bytes -> an upright picture in its own mode and depth, or the reason why not.

The only place that opens pictures, for `prepare` and `complete` alike: always from memory, because Pillow
maps files that it opens by name, and confuses rows with columns in some that are to be turned.
"""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import cv2
import numpy as np
from PIL import (
    ExifTags,
    Image,
    ImageFile,
    ImageOps,
    ImagePalette,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
)

from roigan.errors import brief
from roigan.image_io import tiff_tags
from roigan.image_io.contents import Unusable
from roigan.image_io.metadata import WRITTEN, essential, upright_exif, without_text


class DeepColour(np.ndarray):
    """Colour with 16 bits, which Pillow does not know: uint16 [H, W, 3 or 4]; a copy keeps its `info`."""

    info: dict[Any, Any]
    """What the file says beside its pixels, as in a Pillow image."""

    def __array_finalize__(self, other: object) -> None:
        """Called by numpy for every new array."""
        self.info = getattr(other, "info", {})


Picture = Image.Image | np.ndarray
"""A Pillow image of a mode that can be painted on or, for colour with 16 bits, an array: a DeepColour where
it was read."""

Image.init()  # registers all of Pillow's formats, of which these are tried:
FORMATS: list[str] = [
    name
    for name in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "AVIF", "JPEG2000")
    if name in Image.OPEN
]
"""A fixed list: Pillow hands others to outside programs (EPS to Ghostscript) or to rarely used decoders."""
EIGHT_BITS = ("L", "LA", "RGB", "RGBA", "CMYK")
WHITE = 65535
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
NUMBERS = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
PngImagePlugin.MAX_TEXT_CHUNK = 2**26  # bytes; also Pillow's limit for a colour profile, by default 1 MiB
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else its complaints go to standard error


def read(content: bytes, exact: bool, min_side: int = 1, max_pixels: int | None = None) -> Picture:
    """Decode a picture file, turned upright as its orientation says.

    content: the bytes of the file; exact: whether 16-bit colour becomes an array, and what would lose depth
    is refused, where else 8 bits are kept; min_side: the shorter side must have this many pixels; max_pixels:
    at most so many, and never more than twice `PIL.Image.MAX_IMAGE_PIXELS` (2 x 89 million). Sizes are
    checked in the header, before any pixel is decoded. `info` has what `metadata.py` writes.

    Raises Unusable for whatever cannot be used: unreadable, truncated, several frames or pages, too small or
    too large, of a kind that would come out wrong.
    """
    file = io.BytesIO(without_text(content))
    with _net(content), _muted(content), Image.open(file, formats=FORMATS) as image:
        _check_header(image, min_side, max_pixels)
        picture: Image.Image | DeepColour
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            exif = upright_exif(image)  # cannot be read any more once the pixels are
            picture = _read_tiff(image, content, exact)
        else:
            picture = _read_others(image, content, exact)
            exif = upright_exif(image)  # of a PNG, it may come behind the pixels
        clear = picture.info.get("transparency")  # None where it has become an alpha channel
        told = {**image.info, "exif": exif, "transparency": clear}
        picture.info = {key: told[key] for key in WRITTEN if told.get(key) is not None}
        return picture


@contextmanager
def _net(content: bytes) -> Iterator[None]:
    """Whatever decoders raise becomes Unusable; warnings, of corrupt EXIF and the like, are dropped."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Unusable:
        raise
    except Image.DecompressionBombError:
        raise Unusable("absurdly large: a decompression bomb by Pillow's limit") from None
    except UnidentifiedImageError:
        if content[:4] in TIFF:
            raise Unusable("unreadable: an unknown kind of TIFF; save it as PNG first") from None
        raise Unusable("unreadable: not a picture of a known format") from None
    except Exception as error:  # decoders of malformed files raise nearly anything
        raise Unusable(f"unreadable: {brief(error)}") from None


@contextmanager
def _muted(content: bytes) -> Iterator[None]:
    """For a TIFF, no standard error: the library that unpacks it writes its complaints there by itself."""
    if content[:4] not in TIFF:
        yield
        return
    with ExitStack() as stack:
        with suppress(OSError):  # where there is none, nothing is to be muted
            kept = os.dup(2)
            stack.callback(os.close, kept)
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            stack.callback(os.dup2, kept, 2)
        yield


def _check_header(image: Image.Image, min_side: int, max_pixels: int | None) -> None:
    width, height = image.size
    if max_pixels is not None and width * height > max_pixels:
        raise Unusable(f"absurdly large: {width}x{height} pixels, the limit is {max_pixels} in all")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # MPO: a camera's JPEG that carries previews behind the picture
        raise Unusable(f"animated or of several pages: {frames} frames")
    if min(width, height) < min_side:
        raise Unusable(f"tiny: {width}x{height} pixels, a side needs {min_side}")


def _read_others(image: ImageFile.ImageFile, content: bytes, exact: bool) -> Image.Image | DeepColour:
    if exact and (bits := _hidden_depth(image, content)) > 8:
        raise Unusable(
            f"colour with more than 8 bits in {image.format} ({bits}); save it as 16-bit PNG first"
        )
    layouts = [tile[3] for tile in image.tile]  # "RGB;16B", in PPM ("RGB", brightest)
    wide = any(";16" in str(layout) or layout == ("RGB", WHITE) for layout in layouts)
    image.load()  # complains of truncated files, which OpenCV fills with grey
    if wide and image.mode in ("RGB", "RGBA", "LA") and (exact or "transparency" in image.info):
        deep = _turned(_read_deep(content), image.getexif().get(ExifTags.Base.Orientation, 1))
        return deep.view(DeepColour) if exact else _shallow(deep)
    picture = native(ImageOps.exif_transpose(image))
    # PPM never has more than 16 bits
    return picture.convert("I;16") if image.format == "PPM" and picture.mode == "I" else picture


def _hidden_depth(image: ImageFile.ImageFile, content: bytes) -> int:
    """Bits of a channel in a file of which Pillow keeps 8 without telling; 0 where nothing is hidden."""
    if image.mode not in ("RGB", "RGBA", "LA", "CMYK", "YCbCr"):
        return 0
    if image.format == "PPM":
        levels = [tile[3][1] for tile in image.tile if isinstance(tile[3], tuple) and len(tile[3]) == 2]
        return max([int(most).bit_length() for most in levels if most != WHITE], default=0)
    if image.format == "AVIF" and (start := content.find(b"av1C")) > 0:
        flags = content[start + 6]  # of AV1's configuration: high_bitdepth, twelve_bit
        return 8 + 2 * (flags >> 6 & 1) + 2 * (flags >> 5 & 1)
    if image.format == "JPEG2000" and (start := content.find(b"\xff\x4f\xff\x51")) >= 0:
        count = int.from_bytes(content[start + 40 : start + 42])  # of SIZ: components, then 3 bytes for each
        return max(
            [(depth & 127) + 1 for depth in content[start + 42 : start + 42 + 3 * count : 3]], default=0
        )
    return 0


def _read_tiff(image: TiffImagePlugin.TiffImageFile, content: bytes, exact: bool) -> Image.Image | DeepColour:
    tiff_tags.refuse_unknown(image, exact)
    bits, further = tiff_tags.depth(image), tiff_tags.extra_channels(image)
    unsigned, negative = tiff_tags.unsigned(image), tiff_tags.white_is_zero(image)
    deep = bits == 16 and image.mode in ("RGB", "RGBA")
    if image.mode == "P" and (colours := tiff_tags.shallow_palette(image)):
        image.palette = ImagePalette.raw("RGB;L", colours)
    image.load()  # turns it upright, as OpenCV does
    if deep:
        array = _read_deep(content)  # [H, W, C]
        if 0 in further:
            array = array[..., :3]
        elif 1 in further:
            array = _straight(array)
        return array.view(DeepColour) if exact else _shallow(array)
    picture = native(ImageOps.exif_transpose(image))
    if picture.mode.startswith("I;16"):
        numbers: Any = np.asarray(picture).astype(np.uint16)  # [H, W]
        if bits == 12:
            numbers = numbers << 4 | numbers >> 8
        if negative:
            numbers = WHITE - numbers
        if bits == 12 or negative:
            info, picture = picture.info, Image.fromarray(numbers)
            picture.info = info
    elif picture.mode == "I" and unsigned and np.asarray(picture).min() < 0:
        raise Unusable("numbers beyond 2^31; save it with 16 bits first")
    return picture


def _read_deep(content: bytes) -> np.ndarray:
    """Colour with 16 bits, RGB or RGBA, or grey with alpha as RGBA."""
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        array = cv2.imdecode(np.frombuffer(essential(content), np.uint8), cv2.IMREAD_UNCHANGED)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if array is None or array.ndim != 3 or array.dtype != np.uint16 or array.shape[-1] not in (3, 4):
        raise Unusable("unreadable: an unknown kind of 16-bit colour")
    order = cv2.COLOR_BGR2RGB if array.shape[-1] == 3 else cv2.COLOR_BGRA2RGBA
    return np.asarray(cv2.cvtColor(array, order))


def _turned(array: np.ndarray, orientation: int) -> np.ndarray:
    """[H, W, C] upright; orientation: 1 to 8 as in EXIF, anything else is 1."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)


def _straight(array: np.ndarray) -> np.ndarray:
    """Premultiplied RGBA -> straight, as Pillow does with 8 bits."""
    straight, alpha = array.copy(), np.maximum(array[..., 3:].astype(np.uint64), 1)
    colours = (array[..., :3].astype(np.uint64) * WHITE + alpha // 2) // alpha
    straight[..., :3] = np.minimum(colours, WHITE)
    return straight


def _shallow(array: np.ndarray) -> Image.Image:
    """The upper 8 of 16 bits, as Pillow keeps them."""
    return Image.fromarray((array >> 8).astype(np.uint8))


def native(image: Image.Image) -> Image.Image:
    """The image itself where its mode can be painted on; palettes and rare modes as RGB or RGBA.

    A level or colour that means transparent becomes an alpha channel: new pixels may have it, too.
    """
    if "transparency" in image.info and image.mode in ("1", "L", "RGB"):
        return image.convert("RGBA" if image.mode == "RGB" else "LA")
    if image.mode == "1" or image.mode in EIGHT_BITS + NUMBERS:
        return image
    if image.mode == "La":  # premultiplied
        return image.convert("LA")
    transparent = image.mode in ("PA", "RGBa") or "transparency" in image.info
    return image.convert("RGBA" if transparent else "RGB")
