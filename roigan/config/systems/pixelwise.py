"""What params.yaml says of the pixel-wise conditioned GAN, of GAN and of CGAN."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from roigan.config.blocks import LatentSizes, LossParams, ModelParams, Positive, Weight
from roigan.config.params import Params


class PixelwiseModel(ModelParams):
    """The networks of the pixel-wise conditioned GAN and of the two that it is compared with; a width of 1.0
    is the paper. Their dense layer hears every pixel: they are for small images."""

    sides: ClassVar[tuple[int, ...]] = (16, 28, 32)
    system: Literal["gan", "cgan", "pixelwise"]
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


class CGANLosses(PixelwiseLosses):
    """What GAN and CGAN are: no penalty."""

    lam: Annotated[float, Field(ge=0, le=0)] = 0.0


class PixelwiseParams(Params):
    """All of params.yaml where `model.system` is pixelwise."""

    model: PixelwiseModel
    losses: PixelwiseLosses = PixelwiseLosses()


class CGANParams(PixelwiseParams):
    """All of params.yaml where `model.system` is gan or cgan."""

    losses: CGANLosses = CGANLosses()
