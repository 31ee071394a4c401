"""What params.yaml says of iGAN's network P; what it projects onto is the block `prior`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from roigan.config.blocks import LatentSizes, LossParams, ModelParams, Positive, Weight
from roigan.config.params import Params


class IGANModel(ModelParams):
    """The network P; a width of 1.0 has 64 to 512 channels, as D of `dcgan`."""

    sides: ClassVar[tuple[int, ...]] = (16, 28, 32, 64, 128)
    needs_context: ClassVar[bool] = False
    system: Literal["igan"]
    noise: Positive = 100
    """Numbers of the prior's latent vector, `prior.model.noise`."""

    @property
    def latent(self) -> LatentSizes:
        """The prior's."""
        return LatentSizes(self.noise)


class IGANLosses(LossParams):
    """The one weight of iGAN's network."""

    alpha: Weight = 0.0
    """Of the squared differences of the feature network's maps beside those of pixels."""


class IGANParams(Params):
    """All of params.yaml where `model.system` is igan."""

    model: IGANModel
    losses: IGANLosses = IGANLosses()

    @model_validator(mode="after")
    def _there_is_a_prior(self) -> IGANParams:
        if self.prior is None:
            raise ValueError("igan projects onto a prior; give the block `prior` (presets/igan-fashion.yaml)")
        return self
