"""Decoded pictures under the hash of their files, and what a browser is shown of them."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

from roigan.apps.editor.requests import SHOWN_PIXELS
from roigan.image_io.lossless import bands, look, shape_of
from roigan.image_io.reader import Picture

Box = tuple[slice, slice]


class Opened(NamedTuple):
    """A picture and what the page says of it."""

    picture: Picture
    about: dict[str, Any]


class Pictures:
    """The pictures used last, as many as `limit` bytes hold (the newest one in any case).

    It saves decoding, no more: whoever asks for one that is gone sends the file again.
    """

    def __init__(self, limit: int = 512 * 2**20) -> None:
        self.limit = limit
        self._opened: OrderedDict[str, Opened] = OrderedDict()

    def get(self, sha: str) -> Opened | None:
        """The picture of a file, if it is still here."""
        if sha in self._opened:
            self._opened.move_to_end(sha)
        return self._opened.get(sha)

    def put(self, content: bytes, picture: Picture) -> Opened:
        """Keep what a file holds."""
        sha = hashlib.sha256(content).hexdigest()
        self._opened[sha] = Opened(picture, {"sha256": sha, **describe(picture)})
        self._opened.move_to_end(sha)
        while len(self._opened) > 1 and self.bytes() > self.limit:
            self._opened.popitem(last=False)
        return self._opened[sha]

    def bytes(self) -> int:
        """What all of them take, a little more or less."""
        return sum(weight(opened.picture) for opened in self._opened.values())


def weight(picture: Picture) -> int:
    """Bytes of a picture in memory."""
    height, width = shape_of(picture)
    if isinstance(picture, np.ndarray):
        return picture.nbytes
    each = {"1": 1, "L": 1, "I;16": 2}.get(picture.mode, 4)  # Pillow keeps four bytes for RGB as well
    return height * width * each


def describe(picture: Picture) -> dict[str, Any]:
    """Size, mode, depth, the formats that can hold it (the best one first), and notes for the person."""
    height, width = shape_of(picture)
    deep = isinstance(picture, np.ndarray)
    mode = ("RGB", "RGBA")[picture.shape[-1] - 3] if isinstance(picture, np.ndarray) else picture.mode
    depth = 16 if deep else {"1": 1, "I": 32, "F": 32}.get(mode, 16 if mode.startswith("I;16") else 8)
    formats = {"I": ["tif"], "F": ["tif"], "CMYK": ["tif", "png"]}.get(mode, ["png", "tif"])
    info = getattr(picture, "info", {})
    notes = {
        "CMYK stays CMYK in TIFF; in PNG it becomes RGB": mode == "CMYK",
        "32 bits are kept in TIFF": mode in ("I", "F"),
        "transparent parts are shown on white; new pixels are opaque": mode in ("LA", "RGBA"),
        "its colour profile is kept, and not applied here": bool(info.get("icc_profile")),
    }
    return {
        "width": width,
        "height": height,
        "mode": "grey" if mode.startswith("I;16") else mode,
        "depth": depth,
        "formats": formats,
        "notes": [note for note, applies in notes.items() if applies],
    }


def preview(picture: Picture) -> bytes:
    """PNG of a picture on white, 4 megapixels at most."""
    levels = [np.rint(seen * 255).astype(np.uint8) for seen in bands(picture)]
    return fast_png(_bounded(np.concatenate(levels), *shape_of(picture)))


def preview_box(picture: Picture, box: Box) -> bytes:
    """PNG of a part, at the scale at which `preview` shows the whole."""
    return fast_png(_bounded(np.rint(look(picture, box) * 255).astype(np.uint8), *shape_of(picture)))


def _bounded(levels: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 [h, w, C] of a picture of H x W pixels, made smaller where that has more than can be shown."""
    scale = (SHOWN_PIXELS / (height * width)) ** 0.5
    if scale >= 1:
        return levels
    h, w = (max(1, int(side * scale)) for side in levels.shape[:2])
    return cv2.resize(levels, (w, h), interpolation=cv2.INTER_AREA).reshape(h, w, -1)


def fast_png(levels: np.ndarray) -> bytes:
    """PNG of uint8 [H, W, 1 or 3], packed quickly rather than tightly."""
    content = io.BytesIO()
    Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels).save(
        content, "PNG", compress_level=1
    )
    return content.getvalue()
