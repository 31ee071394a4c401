"""Completing pictures of any size and mode: the region is cut out, generated and pasted back.

A square window around the region is brought to the model's resolution, completed, brought back, and pasted
where the mask says. Every other pixel keeps its value bit for bit, in the picture's own mode and depth (see
`roigan.image_io.lossless`). Several regions share one window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from roigan.errors import UserError
from roigan.image_io.colour import as_transparent_as, in_colour, opaque
from roigan.image_io.lossless import look
from roigan.image_io.reader import Picture
from roigan.images.blending import BLENDS, complete
from roigan.inference.hints import Hints, check_hints, hinted, tinted
from roigan.inference.windows import cut, paste, window
from roigan.systems.model import Model


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
    hints: Hints | None = None,
) -> list[Picture]:
    """Complete pictures in one batch.

    masks: bool [H, W] each, True = generate. seed: one number, by which all pictures get the same latent
    vector, or one for every picture. c: sliders in [-1, 1], k: values of the codes; where fewer than
    the model's are given, the rest are 0; None draws them from the seed. context: the window's side as a
    multiple of the region's longer side; a window is never smaller than the model's resolution, if the
    picture has it, and the largest square around the region for a model of whole images. blend: how the
    filling meets its surroundings (a key of BLENDS); None: as the model does it. z0: the noise itself,
    in place of the seed's. hints: colours of some pixels of every picture, which are kept, and to which
    what is near and as light is drawn. New pixels are opaque; where colours alone are generated, transparency
    stays. Raises UserError for a mask that is empty or of another size, for controls out of range, and for a
    grey picture where only colours are generated.
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
    if hints:
        for picture in pictures:
            check_hints(picture, model.coordinates, hints)
        pictures = [tinted(picture, M, hints) for picture, M in zip(pictures, masks, strict=True)]
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
    if hints:
        y = torch.stack([hinted(*part, hints) for part in zip(y, windows, masks, strict=True)])
        masks = [mask & ~hints.known for mask in masks]
    parts = zip(pictures, masks, windows, y, strict=True)
    completed = [paste(*part, model.coordinates) for part in parts]
    if model.coordinates == "identity":
        return completed
    return [as_transparent_as(*pair) for pair in zip(completed, originals, strict=True)]


def complete_picture(model: Model, picture: Picture, mask: np.ndarray, *given: Any, **named: Any) -> Picture:
    """Complete one picture; what else is given: as of `complete_pictures`."""
    return complete_pictures(model, [picture], [mask], *given, **named)[0]


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
