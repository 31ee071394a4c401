"""What params.yaml says of HistoryAD: the detector, the distribution of its anomalies, and its losses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from roigan.config.blocks import Block, LatentSizes, LossParams, Positive, Rate, Share
from roigan.config.params import Params
from roigan.config.systems.wgan import CriticModel


class PastParams(Block):
    """How anomalies are drawn from what the prior's generator was: q_t ~ exp(-decay t/T), t > start T."""

    start: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """a: share of the prior's run of which nothing counts."""
    decay: Annotated[float, Field(allow_inf_nan=False)] = 3.0
    """b: 0 is uniform, above 0 the oldest, worst generators count most. The critics are averaged by it as
    well."""
    images: Positive = 50_000
    """Of the bank that is drawn once; the training draws from it."""
    far: Share = 0.0
    """Share of the bank that is no past of anything but uniform noise: it marks the far field (ours)."""
    near: Share = 0.0
    """Share of the bank that is training images, spoilt: bent, cut, joined, turned (ours)."""

    @model_validator(mode="after")
    def _some_past(self) -> PastParams:
        if self.far + self.near >= 1:
            raise ValueError(f"far {self.far:g} and near {self.near:g} leave no past; their sum is below 1")
        return self


class HistoryADModel(CriticModel):
    """The detector, which is built like the prior's critic: `network` and `width` are the prior's own."""

    system: Literal["history_ad"]
    begin: Literal["mean", "last", "random"] = "mean"
    """The mean of the critics weighed by q, the last critic, or new weights."""
    centre: Literal["affine", "none"] = "affine"
    """A Wasserstein critic has neither zero nor scale. affine: its last layer is scaled and shifted so that
    the mean score is 1/2 on training images and -1/2 on anomalies (ours); none: as it is (the slides)."""
    memory: Annotated[int, Field(ge=0)] = 0
    """0: the score is -D(x) (the slides). Else the squared distance, in D's last hidden layer, to the nearest
    of so many training images (ours). Their features are part of the model."""
    past: PastParams = PastParams()

    @property
    def latent(self) -> LatentSizes:
        """It generates nothing."""
        return LatentSizes()


class HistoryADLosses(LossParams):
    """The loss of the detector."""

    kind: Literal["tv", "log"] = "tv"
    """The total variation, or the log loss on the same images, whose optimum is the density ratio (ours)."""
    bound: Rate = 10.0
    """Of the mean square of how far scores lie outside [-1, 1]; the log loss has none."""


class HistoryADParams(Params):
    """All of params.yaml where `model.system` is history_ad."""

    model: HistoryADModel
    losses: HistoryADLosses = HistoryADLosses()

    @model_validator(mode="after")
    def _built_like_the_critic(self) -> HistoryADParams:
        if self.prior is None:
            raise ValueError("prior: history_ad is trained on the past of a prior; give it one")
        critic = {"network": "plain"} | self.prior.get("model", {})
        for key in ("network", "width"):
            if critic.get(key) != getattr(self.model, key):
                raise ValueError(
                    f"model.{key} is {getattr(self.model, key)}, prior.model.{key} {critic.get(key)}: the "
                    "detector begins as a mean of critics and is built like them"
                )
        if not self.prior.get("train", {}).get("history", {}).get("states"):
            raise ValueError("prior.train.history.states: history_ad needs past states; set it to 40")
        return self
