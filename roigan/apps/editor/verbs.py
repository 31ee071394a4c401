"""What the server can do: windows, fillings, whole results. Functions of their arguments, without HTTP."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from roigan.apps.editor.pictures import fast_png, preview_box
from roigan.apps.recipe import fill_regions, mask_of
from roigan.apps.regions import Controls, Region
from roigan.errors import UserError
from roigan.image_io.decode import decode
from roigan.image_io.lossless import encode, fit_format, shape_of
from roigan.image_io.reader import Picture
from roigan.images.arrays import to_float, to_uint8
from roigan.inference.inpaint import check_colours, latent
from roigan.inference.priors import has_whole_images
from roigan.inference.windows import bounds, cut, window
from roigan.systems.model import Model

Models = Mapping[str, Model]


def about(name: str, model: Model) -> dict[str, Any]:
    """What the page needs to know of a model."""
    completes, is_prior = "complete" in model.verbs, has_whole_images(model)
    moves = model.sizes.noise + model.sliders > 0
    abilities = {"fill": completes, "paint": completes and moves, "project": is_prior, "transfer": is_prior}
    return {
        "name": name,
        "system": model.system,
        "size": model.image_size,
        "channels": model.channels,
        "sliders": model.sliders,
        "codes": model.codes,
        "values": model.values,
        "sha256": model.sha256,
        "can": [verb for verb, able in abilities.items() if able],
    }


def draw(model: Model, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """The sliders and codes that belong to seeds where none are given."""
    noise, sliders, codes, values = model.sizes
    z = torch.cat([latent(model, seed) for seed in seeds])  # [n, noise + sliders + codes*values]
    c = z[:, noise : noise + sliders].double()
    k = z[:, noise + sliders :].reshape(len(z), codes, values).argmax(-1) if codes else z[:, :0]
    rows = zip(seeds, c.tolist(), k.long().tolist(), strict=True)
    return [{"seed": seed, "c": own_c, "k": own_k} for seed, own_c, own_k in rows]


def seen_by(models: Models, picture: Picture, regions: Sequence[Region]) -> dict[str, Any]:
    """Where the window of the last region lies, and what its model sees there once the regions before it are
    filled: x and M as PNG at the model's size."""
    *before, region = regions
    height, width = shape_of(picture)
    picture, model = fill_regions(models, picture, before, height, width), models[region.model]
    check_colours(model, picture)
    mask = mask_of(region.runs, height, width)
    where = window(picture, mask, model.image_size, region.context)
    x, M = cut(picture, mask, where, model.image_size, model.channels)  # [C, S, S], [1, S, S]
    pictures = {"x": to_uint8(x), "M": to_uint8(2 * M - 1)}
    return where._asdict() | {name: text(fast_png(levels)) for name, levels in pictures.items()}


def fill(model: Model, x: bytes, M: bytes, fillings: Sequence[Controls]) -> bytes:
    """PNG of a window filled in several ways, side by side: [S, n*S]."""
    x_all, M_all = (one.expand(len(fillings), -1, -1, -1) for one in decoded(model, x, M))
    z = torch.cat([latent(model, given.seed, given.c, given.k, given.z0) for given in fillings])
    return strip(model.complete(x_all, M_all, z))


def strip(images: Tensor) -> bytes:
    """PNG of images [n, C, S, S] in [-1, 1], side by side."""
    return fast_png(np.hstack(list(to_uint8(images))))


def decoded(model: Model, x: bytes, M: bytes) -> tuple[Tensor, Tensor]:
    """x [1, C, S, S] in [-1, 1] and M [1, 1, S, S] in {0, 1} of a window, from PNG."""
    size = model.image_size
    return _decoded(x, size, model.channels), (_decoded(M, size, 1) > 0).float()


def _decoded(content: bytes, size: int, channels: int) -> Tensor:
    """A square picture of the model's size as [1, C, S, S] in [-1, 1]; UserError for another size."""
    image = decode(content)
    if image.size != (size, size):
        raise UserError(
            f"x and M are {size}x{size} pixels for this model, not {image.size[0]}x{image.size[1]}"
        )
    levels = np.asarray(image.convert("L" if channels == 1 else "RGB")).reshape(1, size, size, channels)
    return to_float(levels)


def render_whole(models: Models, picture: Picture, regions: Sequence[Region], format: str) -> bytes:
    """The file that `roigan complete` writes for the same regions, seeds, sliders and codes."""
    fitting = fit_format(picture, Path(f"picture.{format}"))
    return encode(fill_regions(models, fitting, regions, *shape_of(picture)), f".{format}")


def render_box(models: Models, picture: Picture, regions: Sequence[Region]) -> dict[str, Any]:
    """The smallest box that holds all regions, as it looks once they are filled."""
    box = bounds(_union(picture, regions))
    filled = fill_regions(models, picture, regions, *shape_of(picture))
    rows, columns = box
    return {
        "top": rows.start,
        "left": columns.start,
        "height": rows.stop - rows.start,
        "width": columns.stop - columns.start,
        "png": text(preview_box(filled, box)),
    }


def render_mask(picture: Picture, regions: Sequence[Region]) -> bytes:
    """A mask file of all regions that are shown: white, generate."""
    return fast_png(_union(picture, regions)[..., None].astype(np.uint8) * 255)


def _union(picture: Picture, regions: Sequence[Region]) -> np.ndarray:
    """bool [H, W] of the regions that are shown; UserError where nothing is marked."""
    union = np.zeros(shape_of(picture), bool)
    for region in regions:
        if region.shown:
            union |= mask_of(region.runs, *union.shape)
    if not union.any():
        raise UserError("no region that is shown has any pixel, so there is nothing to generate")
    return union


def text(content: bytes) -> str:
    """Bytes in base64, for JSON."""
    return b64encode(content).decode()
