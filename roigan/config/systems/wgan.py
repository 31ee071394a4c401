"""What params.yaml says of WGAN-GP: its networks, and the weights of the critic's two penalties."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from roigan.config.blocks import LatentSizes, LossParams, ModelParams, Positive, Weight
from roigan.config.params import Params


class CriticModel(ModelParams):
    """The critic of WGAN-GP; a width of 1.0 has 64 to 512 channels."""

    sides: ClassVar[tuple[int, ...]] = (16, 28, 32, 64, 128)
    needs_context: ClassVar[bool] = False
    network: Literal["plain", "residual"] = "plain"
    """`residual` are the blocks of the public code for 64 px, with ten times the arithmetic of `plain`."""


class WGANModel(CriticModel):
    """Both networks of WGAN-GP."""

    system: Literal["wgan"]
    noise: Positive = 128
    """Numbers of the latent vector z."""

    @property
    def latent(self) -> LatentSizes:
        """Noise alone."""
        return LatentSizes(self.noise)


class WGANLosses(LossParams):
    """The weights of the losses."""

    gp: Weight = 10.0
    """Of the gradient penalty."""
    zero: Weight = 1e-3
    """Of the mean square of D's scores of real images: without it they drift (Karras et al. 2018)."""


class WGANParams(Params):
    """All of params.yaml where `model.system` is wgan."""

    model: WGANModel
    losses: WGANLosses = WGANLosses()

    @model_validator(mode="after")
    def _penalty_somewhere(self) -> WGANParams:
        if self.penalty.region == "outside":
            raise ValueError("penalty.region: of a whole image nothing is outside; set inside or everywhere")
        return self
