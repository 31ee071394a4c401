"""Pictures made ready for new colours: grey ones in a mode that holds them, and transparency set aside."""

from __future__ import annotations

import numpy as np
from PIL import Image

from roigan.errors import UserError
from roigan.image_io.reader import DeepColour, Picture

WIDER = {"1": "RGB", "L": "RGB", "LA": "RGBA"}


def in_colour(picture: Picture) -> Picture:
    """The picture in a mode of the same depth that holds colours; UserError for 32-bit numbers."""
    if isinstance(picture, np.ndarray):
        return picture
    if picture.mode in ("I", "F"):
        raise UserError("a picture of 32-bit numbers holds no colours; convert it to 16 bits")
    info = {key: value for key, value in picture.info.items() if key not in ("icc_profile", "transparency")}
    if picture.mode.startswith("I;16"):
        numbers, clear = np.asarray(picture).astype(np.uint16), picture.info.get("transparency")
        bands = [numbers] * 3
        if isinstance(clear, int):
            bands.append(np.where(numbers == clear, 0, 65535).astype(np.uint16))
        deep = np.stack(bands, -1).view(DeepColour)
        deep.info = info
        return deep
    if picture.mode not in WIDER:
        return picture
    wider = picture.convert(WIDER[picture.mode])
    wider.info = info  # a profile of grey levels says nothing of colours
    return wider


def has_colours(picture: Picture) -> bool:
    """Whether any pixel is not grey."""
    if isinstance(picture, Image.Image):
        if picture.mode in WIDER or picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
            return False
        picture = np.asarray(picture.convert("RGB"))
    colours = np.asarray(picture)[..., :3]
    return bool((colours.max(-1) != colours.min(-1)).any())


def alpha_of(picture: Picture) -> np.ndarray | None:
    """How opaque its pixels are, float32 [H, W] in [0, 1]; None where it has no alpha channel."""
    if isinstance(picture, np.ndarray):
        deep = np.asarray(picture)
        return deep[..., 3].astype(np.float32) / np.iinfo(deep.dtype).max if deep.shape[-1] == 4 else None
    if "A" not in picture.getbands():
        return None
    return np.asarray(picture.getchannel("A"), np.float32) / 255


def opaque(picture: Picture) -> Picture:
    """The picture without its transparency, whatever lies beneath."""
    if isinstance(picture, np.ndarray):
        return picture[..., :3]
    return picture.convert("RGB") if picture.mode == "RGBA" else picture


def as_transparent_as(picture: Picture, original: Picture) -> Picture:
    """What `opaque` has made of the original, and what became of it, with the original's transparency."""
    if isinstance(picture, np.ndarray) and isinstance(original, np.ndarray):
        if original.shape[-1] == 3:
            return picture
        together = np.concatenate([picture, original[..., 3:]], -1).view(DeepColour)
        together.info = getattr(original, "info", {})
        return together
    if isinstance(original, Image.Image) and isinstance(picture, Image.Image) and original.mode == "RGBA":
        picture.putalpha(original.getchannel("A"))
        picture.info = original.info
    return picture
