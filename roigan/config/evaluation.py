"""The blocks of params.yaml that say how a model is measured, and what must hold before it is promoted."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from roigan.config.blocks import Block, FeatureParams, MaskFamily, Positive, Rate, Seed


class NaturalParams(Block):
    """A judge of colours, which the stage `features` trains for `evaluate`."""

    width: Positive = 24
    """Channels of its first layer."""
    steps: Positive = 600
    batch_size: Positive = 32
    """Real images of a step; there are as many miscoloured ones."""
    lr: Rate = 2e-3
    seed: Seed = 0


class EvaluateParams(Block):
    """Stage `evaluate`."""

    judge: FeatureParams | None = None
    """The network behind FID, KID, P-IDS and the perceptual distance; None: that of the training, which has
    learnt to please it."""
    natural: NaturalParams | None = None
    """The judge behind the metric `natural`, where colours alone are generated; None: there is none."""
    limit: Positive | None = None
    """At most this many test images; None takes all."""
    batch_size: Positive = 200
    diversity_images: Positive = 32
    """Images on which diversity across z is measured, with `diversity_samples` fillings each."""
    diversity_samples: Annotated[int, Field(ge=2)] = 4
    fmm_radius: Positive = 3
    """Radius in pixels of OpenCV's fast marching (TELEA)."""
    bootstrap: Annotated[int, Field(ge=2)] = 100
    """Draws of the test images from which the gates learn how far chance moves a difference."""
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Of the two-sided interval whose worse end a gate is judged by."""
    searched: Annotated[int, Field(ge=0)] = 0
    """Images of every set on which AnoGAN, a search for each, stands beside a model that scores."""
    whole: bool = False
    """Score G's whole image beside the completed one: how well it honours the known pixels by itself."""
    seed: Seed = 0


class ControlParams(Block):
    """Stage `control`: a reader learns the controls from completed images and is examined on others."""

    mask: MaskFamily = "ellipse"
    train: Positive = 1000
    """Fillings of training images that the reader learns from."""
    test: Positive = 300
    """Fillings of test images that it is examined on."""
    images: Annotated[int, Field(ge=2)] = 16
    """Test images on which the effect of every single control is measured."""
    width: Rate = 0.25
    """Of the reader; 1 has 128 to 512 channels."""
    steps: Positive = 300
    batch_size: Positive = 32
    lr: Rate = 1e-3
    seed: Seed = 0


Method = Literal[
    "fmm", "nearest", "copy", "mean", "real", "champion", "nearest feature", "cosine", "pca", "forest", "svm",
    "ink", "last critic", "early critic", "mean critic", "mean of scores", "anogan", "grey", "by_lightness",
    "ridge", "nearest5", "welsh", "random",
]  # fmt: skip
COLOURINGS = ("grey", "mean", "by_lightness", "ridge", "nearest", "nearest5", "welsh", "random")
"""The rivals of a model that colours whole pictures: nothing lies around those that could be continued."""
MetricName = Literal[
    "fid", "kid", "pids", "uids", "percep", "l1", "psnr", "ssim", "border", "chroma", "sharpness",
    "diversity", "psnr_ab", "colour", "js", "natural",
]  # fmt: skip
"""What the evaluation of images measures, in the order of its columns."""
RankingName = Literal["ap", "ap_normal", "auroc", "fpr95"]
"""What the evaluation of scores measures."""


class Gate(Block):
    """A condition for promotion: `metric` under `mask` is below (or above) a number or a method's value.

    Against `champion`, the model that has the alias, on the same test images; it holds where there is none.
    Or: what is read of the controls, the median of R2 (sliders) or of accuracy (codes), is above a number.
    """

    metric: MetricName | RankingName | None = None
    mask: MaskFamily | None = None
    set: str | None = None
    """Where a model scores: the images that it tells from test (`anomalous`, a name of `data.others`)."""
    control: Literal["sliders", "codes"] | None = None
    below: float | Method | None = None
    above: float | Method | None = None
    margin: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    """By how much it must be better; below 0, by how much it may be worse."""

    @model_validator(mode="after")
    def _one_side(self) -> Gate:
        if (self.below is None) == (self.above is None):
            raise ValueError("a gate has either `below` or `above`")
        if (self.control is None) == (self.metric is None) or (self.metric is None) != (self.under is None):
            raise ValueError("a gate has either `metric` and `mask` (or `set`), or `control`")
        if self.mask and self.set:
            raise ValueError("a gate has either `mask` or `set`")
        bound = self.below if self.above is None else self.above
        if self.control and isinstance(bound, str):
            raise ValueError("a gate on `control` compares with a number")
        if self.mask == "grey" and isinstance(bound, str) and bound not in (*COLOURINGS, "real", "champion"):
            raise ValueError(f"under grey no table has {bound}; compare with {', '.join(COLOURINGS)}")
        return self

    @property
    def under(self) -> str | None:
        """What marks its row in a table: `mask`, or `set`."""
        return self.mask or self.set
