"""Models of whole images: what can be searched for a z."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from torch import Tensor

from roigan.errors import UserError
from roigan.systems.by_name import SYSTEMS
from roigan.systems.interface import Prior
from roigan.systems.model import Model


def prior_of(model: Model) -> Model:
    """The model of whole images that a model is, or projects onto; UserError where there is none."""
    if not has_whole_images(model):
        raise UserError(f"{model.system} does not generate whole images, so nothing can be searched")
    return model.prior or model


def has_whole_images(model: Model) -> bool:
    """Whether `prior_of` finds something."""
    return hasattr(SYSTEMS[(model.prior or model).system], "prior_loss")


def prior_loss(prior: Model) -> Callable[[Tensor], Tensor]:
    """D's scores -> what an image costs that is scored so, in a search; of any shape."""
    return cast(type[Prior], SYSTEMS[prior.system]).prior_loss


def realism(prior: Model) -> Callable[[Tensor], Tensor]:
    """The same, as G's training has it: with a gradient where D is sure."""
    return cast(type[Prior], SYSTEMS[prior.system]).realism


def check_images(prior: Model, x: Tensor) -> None:
    """Raise UserError for images [B, C, S, S] of another size or number of channels than the prior's."""
    wanted = (prior.channels, prior.image_size, prior.image_size)
    if x.shape[1:] != wanted:
        raise UserError(f"the model knows images of {list(wanted)}, not of {list(x.shape[1:])}")
