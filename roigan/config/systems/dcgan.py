"""What params.yaml says of DCGAN: its networks; its losses have no weights."""

from __future__ import annotations

from typing import ClassVar, Literal

from roigan.config.blocks import LatentSizes, LossParams, ModelParams, Positive
from roigan.config.params import Params


class DCGANModel(ModelParams):
    """The networks of DCGAN; a width of 1.0 has 64 to 512 channels."""

    sides: ClassVar[tuple[int, ...]] = (16, 28, 32, 64, 128)
    needs_context: ClassVar[bool] = False
    system: Literal["dcgan"]
    noise: Positive = 100
    """Numbers of the latent vector z."""

    @property
    def latent(self) -> LatentSizes:
        """Noise alone."""
        return LatentSizes(self.noise)


class DCGANParams(Params):
    """All of params.yaml where `model.system` is dcgan."""

    model: DCGANModel
    losses: LossParams = LossParams()
