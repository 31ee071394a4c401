"""What params.yaml says of the pixel-wise conditioned GAN, with CGAN and GAN as its special cases."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from roigan.config.blocks import LatentSizes, LossParams, ModelParams, Positive, Weight
from roigan.config.params import Params


class PixelwiseModel(ModelParams):
    """The networks of the pixel-wise conditioned GAN and of the two that it is compared with; a width of 1.0
    is the paper. Their dense layer takes every pixel: they are for small images."""

    sides: ClassVar[tuple[int, ...]] = (16, 28, 32)
    system: Literal["pixelwise"]
    condition: bool = True
    """Whether G and D are told the known pixels. False is the paper's GAN, whose losses.lam is 0; with True a
    lam of 0 is its CGAN."""
    noise: Positive = 100
    """Numbers of the latent vector z."""

    @property
    def latent(self) -> LatentSizes:
        """Noise alone."""
        return LatentSizes(self.noise)


class PixelwiseLosses(LossParams):
    """The one weight of the pixel-wise conditioned GAN."""

    lam: Weight = 1.0
    """Of the squared error summed over known pixels (4); a mean over images."""


class PixelwiseParams(Params):
    """All of params.yaml where `model.system` is pixelwise."""

    model: PixelwiseModel
    losses: PixelwiseLosses = PixelwiseLosses()

    @model_validator(mode="after")
    def _a_penalty_needs_a_condition(self) -> PixelwiseParams:
        if self.losses.lam and not self.model.condition:
            raise ValueError(
                f"losses.lam is {self.losses.lam:g}, but model.condition is false: a GAN has no known pixels "
                "to miss; set lam to 0, or condition to true"
            )
        return self
