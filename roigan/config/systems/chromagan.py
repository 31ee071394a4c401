"""What params.yaml says of ChromaGAN: its networks, and how its critic and its classes count beside L2."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from roigan.config.blocks import LossParams, ModelParams, Weight
from roigan.config.params import Params


class ChromaGANModel(ModelParams):
    """The networks of ChromaGAN, which has no controls; a width of 1.0 is the paper."""

    system: Literal["chromagan"]

    @property
    def coordinates(self) -> str:
        """The lightness is kept by construction."""
        return "lab"


class ChromaGANLosses(LossParams):
    """Weights beside the squared error of (a, b), which has a weight of 1."""

    balance: Weight = 0.5
    """How hard the critic pulls at G's output beside the squared error: the weight of its mean score follows
    from it and from the image size, whatever that is. 0: there is no critic."""
    gp: Weight = 10.0
    """Of the critic's gradient penalty."""
    classes: Weight = 0.003
    """Of the divergence from the class distribution of `features.classes`. 0: there is no class head."""


class ChromaGANParams(Params):
    """All of params.yaml where `model.system` is chromagan."""

    model: ChromaGANModel
    losses: ChromaGANLosses = ChromaGANLosses()

    @model_validator(mode="after")
    def _classes_are_taught(self) -> ChromaGANParams:
        if self.losses.classes and not self.features.classes:
            raise ValueError(
                "losses.classes has a weight, but features.classes is null; say what tells the classes "
                "(labels, clusters, imagenet), or set the weight to 0"
            )
        return self
