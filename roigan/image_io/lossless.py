"""Pictures in files and in memory, in their own mode and depth: read, looked at, painted on, saved.

A picture is a Pillow image (modes 1, L, LA, RGB, RGBA, CMYK, I;16, I, F; whatever else there is becomes RGB
or RGBA when it is read, palettes among them) or, for colour with 16 bits, which Pillow does not know, an
array uint16 [H, W, 3 or 4].
"""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps

from roigan.errors import UserError, brief
from roigan.files.atomic import writing
from roigan.image_io.decode import FORMATS

Picture = Image.Image | np.ndarray
Box = tuple[slice, slice]

EIGHT_BITS = ("L", "LA", "RGB", "RGBA", "CMYK")
NUMBERS = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
LUMINANCE = np.array([[0.299], [0.587], [0.114]], np.float32)  # ITU-R 601, as in Pillow


# --- files ---


def read_picture(path: Path) -> Picture:
    """Read a picture, turned upright as its EXIF orientation says.

    Colour with 16 bits loses its colour profile, which is said on standard error: arrays hold none. Raises
    UserError where the picture cannot be read.
    """
    with _open(path) as image:
        _refuse_frames(path, image)
        _refuse_hidden_depth(path, image)
        deep = _is_deep(image)
        try:
            image.load()
            if deep:
                return _read_deep(path, image)
            picture = native(ImageOps.exif_transpose(image))
            if image.format == "PPM" and picture.mode == "I":  # it never has more than 16 bits
                picture = picture.convert("I;16")
        except (OSError, SyntaxError, ValueError, cv2.error) as error:
            raise UserError(f"{path} cannot be read: {brief(error)}") from None
    if picture.mode == "F" and not np.isfinite(np.asarray(picture)).all():  # no black and white to map to
        raise UserError(f"{path} holds numbers that are not finite (NaN, inf); replace them first")
    return picture


def read_mask(path: Path) -> np.ndarray:
    """Read a mask of any mode: bool [H, W], True where it is white (>= 128 of 255) and not transparent."""
    picture = read_picture(path)
    everything = (slice(None), slice(None))
    seen = look(picture, everything, ground=0.0).mean(-1)  # [H, W] in [0, 1]
    return np.asarray(seen * 255 >= 127.5)


def save_picture(picture: Picture, path: Path) -> None:
    """Write a picture with its colour profile, as .png or .tif: other formats may alter pixels.

    Raises UserError where it cannot be written.
    """
    with writing(path) as unfinished:
        unfinished.write_bytes(_encode(picture, path.suffix.lower()))


def _encode(picture: Picture, ending: str) -> bytes:
    """The bytes of a file; left to write them itself, Pillow overlooks a full disk."""
    if isinstance(picture, np.ndarray):
        order = cv2.COLOR_RGB2BGR if picture.shape[-1] == 3 else cv2.COLOR_RGBA2BGRA
        return cv2.imencode(ending, cv2.cvtColor(picture, order))[1].tobytes()
    content = io.BytesIO()
    kind = Image.registered_extensions()[ending]
    picture.save(content, kind, icc_profile=picture.info.get("icc_profile"))
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


def _open(path: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():  # Pillow warns of large pictures and refuses absurd ones
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(path, formats=FORMATS)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read: {brief(error)}") from None


def _refuse_frames(path: Path, image: Image.Image) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # MPO: a camera's JPEG with previews behind the picture
        raise UserError(f"{path} is animated or has several pages ({frames} frames)")


def _refuse_hidden_depth(path: Path, image: Image.Image) -> None:
    """JPEG2000 and AVIF do not tell Pillow when their colours have more than 8 bits, of which it keeps 8."""
    if image.format in ("JPEG2000", "AVIF") and image.mode in ("RGB", "RGBA", "LA"):
        array = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if array is not None and array.dtype != np.uint8:
            raise UserError(
                f"{path}: colour with more than 8 bits in {image.format}; save it as 16-bit PNG first"
            )


def _is_deep(image: Image.Image) -> bool:
    """Whether a picture that is not loaded yet has colour with 16 bits, of which Pillow would keep 8."""
    layouts = [tile[3] for tile in getattr(image, "tile", [])]  # "RGB;16B", in PPM ("RGB", brightest)
    wide = any(";16" in str(layout) or layout == ("RGB", 65535) for layout in layouts)
    return wide and image.mode in ("RGB", "RGBA", "LA")


def _read_deep(path: Path, image: Image.Image) -> np.ndarray:
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        raise UserError(f"{path}: 16-bit colour with an EXIF rotation; turn it upright and save it first")
    if "icc_profile" in image.info:
        print(f"note: {path}: 16-bit colour loses its profile; assign it anew", file=sys.stderr)
    array = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if array is None or array.ndim != 3 or array.dtype != np.uint16:
        raise UserError(f"{path} cannot be read: an unknown kind of 16-bit colour")
    return np.asarray(cv2.cvtColor(array, cv2.COLOR_BGR2RGB if array.shape[-1] == 3 else cv2.COLOR_BGRA2RGBA))


# --- memory ---


def native(image: Image.Image) -> Image.Image:
    """The image itself where its mode can be painted on; palettes and rare modes as RGB or RGBA.

    A level or colour that means transparent becomes an alpha channel: new pixels may have it, too.
    """
    if "transparency" in image.info and image.mode in ("1", "L", "RGB"):
        return image.convert("RGBA" if image.mode == "RGB" else "LA")
    if image.mode == "1" or image.mode in EIGHT_BITS + NUMBERS:
        return image
    transparent = image.mode in ("PA", "La", "RGBa") or "transparency" in image.info
    return image.convert("RGBA" if transparent else "RGB")


def look(picture: Picture, box: Box, ground: float = 1.0) -> np.ndarray:
    """What a part of a picture looks like, laid on grey: float32 [h, w, 1 or 3] in [0, 1]."""
    seen: np.ndarray
    if isinstance(picture, np.ndarray):
        seen = picture[box].astype(np.float32) / np.iinfo(picture.dtype).max
    elif picture.mode in NUMBERS:
        low, high = _range(picture)
        seen = (np.asarray(picture)[box][..., None].astype(np.float32) - low) / (high - low)
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


def _range(picture: Image.Image) -> tuple[float, float]:
    """What counts as black and as white in a picture of numbers: of 32 bits, the smallest usual range that
    holds all of them, hidden ones included."""
    if picture.mode.startswith("I;16"):
        return 0.0, 65535.0
    numbers = np.asarray(picture)
    low, high = float(numbers.min()), float(numbers.max())
    for usual in (1.0, 255.0, 65535.0) if picture.mode == "F" else (255.0, 65535.0):
        if low >= 0 and high <= usual:
            return 0.0, usual
    return low, high if high > low else low + 1
