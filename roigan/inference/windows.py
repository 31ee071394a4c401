"""A square window of a picture: cut out at a model's resolution, and what was made of it pasted back.

Every pixel that the mask does not mark keeps its value bit for bit, in the picture's own mode and depth.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from roigan.corruptions.corruption import SPACES, Corruption
from roigan.errors import UserError
from roigan.image_io.lossless import as_channels, look, paint, shape_of, size_of
from roigan.image_io.reader import Picture

GREY = 0.5  # no colours, among coordinates brought to [0, 1]
BAND = 2**20  # pixels whose coordinates are changed together: they take two hundred bytes each


class Window(NamedTuple):
    """A square of a picture, in pixels; it reaches over the border where the picture is too narrow for it."""

    top: int
    left: int
    side: int


def window(picture: Picture, mask: np.ndarray, size: int, context: float) -> Window:
    """The window around the region of `mask` (bool [H, W]), shifted into the picture as far as it fits."""
    check_mask(picture, mask)
    height, width = mask.shape
    rows, columns = bounds(mask)
    extent = max(rows.stop - rows.start, columns.stop - columns.start)
    side = round(max(extent, min(max(size, context * extent), height, width)))
    return Window(_start(rows, side, height), _start(columns, side, width), side)


def square(picture: Picture) -> Window:
    """The largest square in the middle, as the training images are cut."""
    width, height = size_of(picture)
    side = min(width, height)
    return Window((height - side) // 2, (width - side) // 2, side)


def bounds(mask: np.ndarray) -> tuple[slice, slice]:
    """The smallest box, rows and columns, that holds what a mask bool [H, W] marks; it marks something."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _start(marked: slice, side: int, length: int) -> int:
    """Where a window of `side` around the marked rows (or columns) of a picture of `length` begins."""
    if side > length:
        return (length - side) // 2
    return int(np.clip((marked.start + marked.stop - side) // 2, 0, length - side))


def whole(picture: Picture) -> np.ndarray:
    """The mask of all of a picture: bool [H, W]."""
    return np.ones(shape_of(picture), bool)


def check_mask(picture: Picture, mask: np.ndarray) -> None:
    """Raise UserError for a mask (bool [H, W]) of another size than the picture, or without any region."""
    height, width = shape_of(picture)
    if mask.shape != (height, width):
        raise UserError(
            f"the mask is {mask.shape[1]}x{mask.shape[0]} pixels, the image {width}x{height}; they must agree"
        )
    if not mask.any():
        raise UserError("the mask is empty: no pixel is white (>= 128), so there is nothing to generate")


def cut(
    picture: Picture, mask: np.ndarray, where: Window, size: int, channels: int, space: str = "identity"
) -> tuple[Tensor, Tensor]:
    """The window at the model's resolution: x [C, S, S] in [-1, 1], M [1, S, S] in {0, 1}.

    Beyond the picture's border picture and mask are mirrored, so that nothing of the region is shown there.
    """
    inside, margins = _visible(where, mask.shape)
    seen = look(picture, inside)  # [h, w, 1 or 3] in [0, 1]
    if space != "identity":  # colours that are hidden would move the lightness of what is shrunk
        seen = joined(seen, np.full((*seen.shape[:2], 3), GREY, np.float32), mask[inside], space)
    seen = np.pad(seen, [*margins, (0, 0)], "symmetric")  # [side, side, 1 or 3]
    marked = np.pad(mask[inside], margins, "symmetric").astype(np.float32)  # [side, side]
    # resized as one array: whatever a hidden pixel has touched, however lightly, is generated
    both = _resize(np.dstack([seen, marked]), size, cv2.INTER_LINEAR)
    x = torch.from_numpy(as_channels(both[..., :-1], channels)).movedim(-1, 0) * 2 - 1
    M = torch.from_numpy(both[..., -1] > 0).float()[None]
    return x.contiguous(), M


def shrunk(field: np.ndarray, where: Window, side: int) -> np.ndarray:
    """A field [H, W, K] in the window, at the model's resolution [side, side, K]; 0 beyond the picture."""
    high, wide = field.shape[:2]
    top, left = max(0, -where.top), max(0, -where.left)
    below, right = (max(0, n) for n in (where.top + where.side - high, where.left + where.side - wide))
    padded = np.pad(field, [(top, below), (left, right), (0, 0)])
    cut = padded[where.top + top :, where.left + left :][: where.side, : where.side]
    method = cv2.INTER_AREA if side < where.side else cv2.INTER_NEAREST
    resized: np.ndarray = cv2.resize(cut, (side, side), interpolation=method).reshape(side, side, -1)
    return resized


def paste(picture: Picture, mask: np.ndarray, where: Window, y: Tensor, space: str = "identity") -> Picture:
    """A copy of the picture with the window's completion y [C, S, S] where the mask says; of it, what the
    space generates: colours are enlarged, lightness stays at full size."""
    made = SPACES[space].to(y[None].float())[0].movedim(0, -1)  # [S, S, C]
    filled = _resize(((made + 1) / 2).clamp(0, 1).numpy(), where.side, cv2.INTER_CUBIC)
    inside, ((above, _), (before, _)) = _visible(where, mask.shape)
    height, width = mask[inside].shape
    filled = filled[above : above + height, before : before + width]
    if space != "identity":
        filled = joined(look(picture, inside), filled, mask[inside], space)
    return paint(picture, inside, mask[inside], filled)


def joined(seen: np.ndarray, made: np.ndarray, mask: np.ndarray, space: str) -> np.ndarray:
    """What is seen with the coordinates that the space generates where the mask says: [h, w, 3] in [0, 1].

    seen: [h, w, 1 or 3] in [0, 1]; made: the coordinates, [h, w, C] brought to [0, 1]; mask: bool [h, w].
    """
    joined, rows = np.empty((*mask.shape, 3), np.float32), max(1, BAND // mask.shape[1])
    for top in range(0, len(mask), rows):
        band = slice(top, top + rows)
        x, t = (
            torch.from_numpy(part).movedim(-1, 0)[None] * 2 - 1
            for part in (as_channels(seen[band], 3), made[band])
        )
        region = torch.from_numpy(mask[band]).float()[None, None]
        y = Corruption.region(space, region).joined(x, t)[0]  # [3, h, w]
        joined[band] = ((y.movedim(0, -1) + 1) / 2).clamp(0, 1).numpy()
    return joined


def _resize(seen: np.ndarray, side: int, enlarge: int) -> np.ndarray:
    """[s, s, C] in [0, 1] -> [side, side, C] in [0, 1]; enlarge: OpenCV's method where side > s."""
    if side == len(seen):
        return seen
    method = cv2.INTER_AREA if side < len(seen) else enlarge
    return cv2.resize(seen, (side, side), interpolation=method).reshape(side, side, -1).clip(0, 1)


def _visible(
    where: Window, shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], tuple[tuple[int, int], tuple[int, int]]]:
    """(the part of a window that lies in a picture [H, W], how far the window reaches over each border)."""
    slices, margins = [], []
    for start, length in zip((where.top, where.left), shape, strict=True):
        low, high = max(start, 0), min(start + where.side, length)
        slices.append(slice(low, high))
        margins.append((low - start, start + where.side - high))
    return (slices[0], slices[1]), (margins[0], margins[1])
