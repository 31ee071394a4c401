"""What params.yaml says of GLCIC: its networks and its losses."""

from __future__ import annotations

from typing import Literal

from roigan.config.blocks import LossParams, ModelParams, Weight
from roigan.config.params import Params


class GLCICModel(ModelParams):
    """The networks of GLCIC, which has no controls; a width of 1.0 is the paper."""

    system: Literal["glcic"]


class GLCICLosses(LossParams):
    """The one weight of GLCIC."""

    alpha: Weight = 4e-4
    """Of the adversarial loss beside the mean squared error (4)."""


class GLCICParams(Params):
    """All of params.yaml where `model.system` is glcic."""

    model: GLCICModel
    losses: GLCICLosses = GLCICLosses()
