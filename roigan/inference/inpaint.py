"""Completing pictures of any size and mode: the region is cut out, generated and pasted back.

A square window around the region is brought to the model's resolution, completed, brought back, and pasted
where the mask says. Every other pixel keeps its value bit for bit, in the picture's own mode and depth (see
`roigan.image_io.lossless`). Several regions share one window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from roigan.corruptions.corruption import SPACES, Corruption
from roigan.errors import UserError
from roigan.image_io.colour import as_transparent_as, in_colour, opaque
from roigan.image_io.lossless import as_channels, look, paint, shape_of, size_of
from roigan.image_io.reader import Picture
from roigan.images.blending import BLENDS, complete
from roigan.systems.model import Model

GREY = 0.5  # no colours, among coordinates brought to [0, 1]
BAND = 2**20  # pixels whose coordinates are changed together: they take two hundred bytes each


class Window(NamedTuple):
    """A square of a picture, in pixels; it reaches over the border where the picture is too narrow for it."""

    top: int
    left: int
    side: int


def complete_pictures(
    model: Model,
    pictures: Sequence[Picture],
    masks: Sequence[np.ndarray],
    seed: int | Sequence[int] = 0,
    c: Sequence[float] | None = None,
    k: Sequence[int] | None = None,
    context: float = 2.0,
    blend: str | None = None,
    z0: Sequence[float] | None = None,
) -> list[Picture]:
    """Complete pictures in one batch.

    masks: bool [H, W] each, True = generate. seed: one number, by which all pictures get the same latent
    vector, or one for every picture. c: sliders in [-1, 1], k: values of the codes; where fewer than
    the model's are given, the rest are 0; None draws them from the seed. context: the window's side as a
    multiple of the region's longer side; a window is never smaller than the model's resolution, if the
    picture has it, and the largest square around the region for a model of whole images. blend: how the
    filling meets its surroundings (a key of BLENDS); None: as the model does it. z0: the noise itself,
    in place of the seed's. New pixels are opaque; where colours alone are generated, transparency stays.
    Raises UserError for a mask that is empty or of another size, for controls out of range, and for a grey
    picture where only colours are generated.
    """
    seeds = [seed] * len(pictures) if isinstance(seed, int) else seed
    z = torch.cat([latent(model, own, c, k, z0) for own in seeds])
    for picture in pictures:
        check_colours(model, picture)
    if blend and model.coordinates != "identity":
        raise UserError("--blend: this model gives colours alone, and the lightness meets its surroundings")
    if model.knows_whole_images:
        context = math.inf
    originals = pictures
    if model.coordinates != "identity":
        pictures = [opaque(picture) for picture in originals]
    windows = [
        window(picture, M, model.image_size, context) for picture, M in zip(pictures, masks, strict=True)
    ]
    cuts = [
        cut(picture, M, where, model.image_size, model.channels, model.coordinates)
        for picture, M, where in zip(pictures, masks, windows, strict=True)
    ]
    x, M = (torch.stack(tensors) for tensors in zip(*cuts, strict=True))  # [B, C, S, S], [B, 1, S, S]
    if blend is None:
        y = model.complete(x, M, z).cpu()
    else:
        y = complete(x, BLENDS[blend](x, model.whole(x, M, z), M), M).cpu()
    parts = zip(pictures, masks, windows, y, strict=True)
    completed = [paste(*part, model.coordinates) for part in parts]
    if model.coordinates == "identity":
        return completed
    return [as_transparent_as(*pair) for pair in zip(completed, originals, strict=True)]


def complete_picture(
    model: Model,
    picture: Picture,
    mask: np.ndarray,
    seed: int = 0,
    c: Sequence[float] | None = None,
    k: Sequence[int] | None = None,
    context: float = 2.0,
    blend: str | None = None,
    z0: Sequence[float] | None = None,
) -> Picture:
    """Complete one picture; see `complete_pictures`."""
    return complete_pictures(model, [picture], [mask], seed, c, k, context, blend, z0)[0]


def latent(
    model: Model,
    seed: int,
    c: Sequence[float] | None = None,
    k: Sequence[int] | None = None,
    z0: Sequence[float] | None = None,
) -> Tensor:
    """z [1, Z] of a seed, with what is given in place of what would be drawn; UserError for what the model
    cannot take."""
    noise, sliders, codes = None, *controls(model, c, k)
    if z0 is not None:
        if len(z0) != model.sizes.noise:
            raise UserError(f"z0 has {len(z0)} numbers, but the model's noise {model.sizes.noise}")
        noise = torch.tensor(z0)
    return model.latent(1, torch.Generator().manual_seed(seed), sliders, codes, noise)


def controls(
    model: Model, c: Sequence[float] | None, k: Sequence[int] | None
) -> tuple[Tensor | None, list[int] | None]:
    """Check the controls against the model and fill them up with zeros; None stays None (= random)."""
    for name, given, count in (("c", c, model.sliders), ("k", k, model.codes)):
        if given is not None and len(given) > count:
            at_most = f"the model takes at most {count}" if count else "this model has no such controls"
            raise UserError(f"{name} has {len(given)} numbers, but {at_most}")
    for i, value in enumerate(c or []):
        if not -1 <= value <= 1:
            raise UserError(f"c: slider {i} is {value:g}, but sliders go from -1 to 1")
    for i, number in enumerate(k or []):
        if not 0 <= number < model.values:
            raise UserError(f"k: code {i} is {number}, but codes go from 0 to {model.values - 1}")
    sliders = None if c is None else torch.tensor([*c, *[0.0] * (model.sliders - len(c))])
    return sliders, None if k is None else [*k, *[0] * (model.codes - len(k))]


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


def check_colours(model: Model, picture: Picture) -> None:
    """Raise UserError for a picture without colours, where the model changes nothing else."""
    if model.coordinates != "identity" and look(picture, (slice(0, 1), slice(0, 1))).shape[-1] == 1:
        raise UserError("this model changes colours, and the picture is grey; convert it to RGB")


def ready(model: Model, colour: bool, picture: Picture) -> Picture:
    """The picture as the model takes it: to be coloured, in a mode that holds colours.

    Raises UserError where the model changes nothing but colours, and there are none.
    """
    if colour:
        return in_colour(picture)
    check_colours(model, picture)
    return picture


def check_seeds(model: Model, seeds: Sequence[int], colour: bool) -> None:
    """Raise UserError for what is asked of the model in vain: colours alone, or several completions."""
    if colour and model.coordinates == "identity":
        raise UserError(
            "--colour wants a model that generates colours and keeps the lightness, and this one makes whole "
            "pixels; presets/chromagan64.yaml and presets/recolour64.yaml train such models"
        )
    if len(seeds) > 1 and not any(model.sizes[:3]):
        raise UserError(f"{model.system} makes one picture of every picture, whatever the seed; give one")


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


def cut(
    picture: Picture, mask: np.ndarray, where: Window, size: int, channels: int, space: str = "identity"
) -> tuple[Tensor, Tensor]:
    """The window at the model's resolution: x [C, S, S] in [-1, 1], M [1, S, S] in {0, 1}.

    Beyond the picture's border picture and mask are mirrored, so that nothing of the region is shown there.
    """
    inside, margins = _visible(where, mask.shape)
    seen = look(picture, inside)  # [h, w, 1 or 3] in [0, 1]
    if space != "identity":  # colours that are hidden would move the lightness of what is shrunk
        seen = _joined(seen, np.full((*seen.shape[:2], 3), GREY, np.float32), mask[inside], space)
    seen = np.pad(seen, [*margins, (0, 0)], "symmetric")  # [side, side, 1 or 3]
    marked = np.pad(mask[inside], margins, "symmetric").astype(np.float32)  # [side, side]
    # resized as one array: whatever a hidden pixel has touched, however lightly, is generated
    both = _resize(np.dstack([seen, marked]), size, cv2.INTER_LINEAR)
    x = torch.from_numpy(as_channels(both[..., :-1], channels)).movedim(-1, 0) * 2 - 1
    M = torch.from_numpy(both[..., -1] > 0).float()[None]
    return x.contiguous(), M


def paste(picture: Picture, mask: np.ndarray, where: Window, y: Tensor, space: str = "identity") -> Picture:
    """A copy of the picture with the window's completion y [C, S, S] where the mask says; of it, what the
    space generates: colours are enlarged, lightness stays at full size."""
    made = SPACES[space].to(y[None].float())[0].movedim(0, -1)  # [S, S, C]
    filled = _resize(((made + 1) / 2).clamp(0, 1).numpy(), where.side, cv2.INTER_CUBIC)
    inside, ((above, _), (before, _)) = _visible(where, mask.shape)
    height, width = mask[inside].shape
    filled = filled[above : above + height, before : before + width]
    if space != "identity":
        filled = _joined(look(picture, inside), filled, mask[inside], space)
    return paint(picture, inside, mask[inside], filled)


def _joined(seen: np.ndarray, made: np.ndarray, mask: np.ndarray, space: str) -> np.ndarray:
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
