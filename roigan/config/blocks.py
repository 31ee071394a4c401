"""The blocks of params.yaml that every system has: one frozen, typed class per stage."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[int, Field(gt=0)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
MaskFamily = Literal[
    "rectangle", "ellipse", "mixture", "half", "centre", "border", "free_form", "scattered", "top", "whole",
    "grey",
]  # fmt: skip


class Block(BaseModel):
    """A block of params.yaml: immutable, unknown keys refused, values never coerced between types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Source = Literal[
    "mnist_5k", "photos", "digits", "drawn", "numbers",
    "folder", "celeba", "mnist", "fashion_mnist", "svhn", "cifar10",
]  # fmt: skip
Label = Annotated[int, Field(ge=0)]
RESERVED = ("train", "val", "test", "anomalous")
"""Names of sets that no entry of `data.others` may have."""


class OtherData(Block):
    """A source whose test images are told from those of the data: foreign to it as a whole."""

    source: Source
    path: str | None = None
    """As in the block `data`."""


class DataParams(Block):
    """Stage `prepare`: a source becomes packed uint8 arrays."""

    source: Source
    path: str | None = None
    """Folder or zip of the source; None for those that need none: the first five of `Source`."""
    image_size: Literal[16, 28, 32, 64, 128, 256]
    """Side in pixels; 28 is MNIST's own."""
    channels: Literal[1, 3]
    crop: Positive | None = None
    """Side in pixels of the centre crop before resizing; None: the largest square (celeba: 140)."""
    min_side: Positive | None = None
    """Picture files with a shorter side below this are rejected as tiny; None: half of image_size."""
    resize: Literal["crop", "squeeze"] = "crop"
    """`crop` keeps the aspect ratio (centre crop, then resize); `squeeze` resizes the whole picture."""
    split: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Shares of train, val, test, where the source brings no split of its own; with a train and a test
    folder, val takes its share of train."""
    limit: Positive | None = None
    """At most this many images per split; None takes all."""
    max_rejected: Share = 0.01
    """The stage fails when a larger share of the files than this is unusable."""
    anomalous: list[Label] = Field(default_factory=list)
    """Labels that are no part of the data: they leave train, val and test before anything is trained, and
    those of test become the set `anomalous`, which a model that scores has to tell from test."""
    normal: list[Label] = Field(default_factory=list)
    """The same said the other way round: all other labels are anomalous."""
    others: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], OtherData] = Field(default_factory=dict)
    """Sets of foreign images by name: the test part of a source, at most as many as test has."""
    seed: Seed = 0

    @model_validator(mode="before")
    @classmethod
    def _split_is_a_tuple(cls, values: Any) -> Any:  # YAML knows lists only, strict mode wants a tuple
        if isinstance(values, dict) and isinstance(values.get("split"), list):
            values = values | {"split": tuple(values["split"])}
        return values

    @model_validator(mode="after")
    def _split_sums_to_one(self) -> DataParams:
        if min(self.split) < 0 or abs(sum(self.split) - 1) > 1e-6:
            raise ValueError("split must be three shares >= 0 that sum to 1 (train, val, test)")
        return self

    @model_validator(mode="after")
    def _sets_have_one_name_each(self) -> DataParams:
        if self.anomalous and self.normal:
            raise ValueError("either anomalous or normal names labels, the rest are the other kind")
        if taken := {*RESERVED} & {*self.others}:
            raise ValueError(f"others: {min(taken)} is the name of a set that there is anyway")
        return self


class MaskParams(Block):
    """Stage `masks`: which regions are trained on and evaluated."""

    train: dict[MaskFamily, Weight]
    """Family -> relative frequency in training."""
    cached: bool = False
    """True trains on `count` cached masks per family instead of fresh ones at every step."""
    evaluate: list[MaskFamily]
    count: Positive = 1000
    """Masks per family in a cache; image i is evaluated under mask i modulo count."""
    known_share: Share = 0.005
    """Share of pixels that the families `scattered` and `top` keep."""
    seed: Seed = 0

    def known_rows(self, size: int) -> int:
        """Rows that `top` keeps of `size`."""
        return round(self.known_share * size)

    @model_validator(mode="after")
    def _something_to_sample(self) -> MaskParams:
        if sum(self.train.values()) <= 0:
            raise ValueError("masks.train needs at least one family with a positive weight")
        if len(set(self.evaluate)) != len(self.evaluate) or not self.evaluate:
            raise ValueError("masks.evaluate needs at least one family, each once")
        return self


class FeatureParams(Block):
    """Stage `features`: a network that looks at images, for the perceptual loss or for FID and KID."""

    network: Literal["local", "efficientnet_lite0", "efficientnet_lite1", "vgg16", "inception"]
    path: str | None = None
    """Weights as a local file; None: as they come with a package (efficientnet) or are downloaded."""
    side: Annotated[int, Field(ge=32, le=512)] = 128
    """What EfficientNet enlarges or shrinks images to; it was trained on 224, faces have 64."""
    width: Positive = 24
    """Channels of the local network's first layer; it has four times as many features."""
    steps: Positive = 300
    batch_size: Positive = 48
    lr: Rate = 2e-3
    classes: Literal["labels", "clusters", "imagenet"] | None = None
    """What tells a system that wants to know what an image shows: the data's labels, clusters of the
    network's embedding, or the 1,000 classes of EfficientNet-Lite0."""
    clusters: Annotated[int, Field(ge=2)] = 32
    """How many, where they are the classes."""
    seed: Seed = 0


class LatentSizes(NamedTuple):
    """How many numbers of each kind a latent vector holds; none where a system has no controls."""

    noise: int = 0
    sliders: int = 0
    codes: int = 0
    values: int = 1


class ModelParams(Block):
    """The networks: what all systems say of them. Each adds its own keys (`systems/`)."""

    sides: ClassVar[tuple[int, ...]] = (16, 32, 64, 128, 256)
    """Image sizes that the networks can be built for."""
    system: str
    width: Annotated[float, Field(gt=0, le=4)]
    """Multiplies every channel count; 1.0 is the paper."""

    @property
    def latent(self) -> LatentSizes:
        """What the generator's z is made of."""
        return LatentSizes()

    needs_context: ClassVar[bool] = True
    """Whether it completes pictures, and has nothing to go by where all of one is to be generated."""

    @property
    def coordinates(self) -> str:
        """The space in which regions are generated (`roigan.corruptions.corruption.SPACES`)."""
        return "identity"


class LossParams(Block):
    """The weights of a system's losses (`systems/`)."""


class PenaltyParams(Block):
    """How the gradient penalty (3.10) reads where the thesis contradicts itself."""

    region: Literal["inside", "outside", "everywhere"] = "inside"
    """Where D's gradient is measured: the thesis' text says inside M, its equation and code outside."""
    scores: Literal["mean", "sum"] = "mean"
    """What is differentiated: the mean or the sum of D's scores of an image."""
    every: Positive = 4
    """Lazy penalty: computed at every n-th step and multiplied by n (Karras et al. 2020)."""


class HistoryParams(Block):
    """What a training keeps of its own past: the networks as they are, not averaged."""

    states: Annotated[int, Field(ge=0)] = 0
    """How many, at equal distances; the last one is the end of the training."""
    limit_mb: Positive = 512
    """A training whose states would take more is refused before it begins."""


class TrainParams(Block):
    """Stage `train`."""

    steps: Positive
    """Of the game; in each, every player takes its turns."""
    batch_size: Positive
    """Images per step over all workers together."""
    lr_g: Rate
    """Learning rate of the generator's player, before `decay`."""
    lr_d: Rate
    """Learning rate of the discriminator's."""
    turns_g: Positive = 1
    """Moves of the generator's player in a step, each on a batch of its own."""
    turns_d: Positive = 1
    """Moves of the discriminator's."""
    decay: Share = 0.25
    """Share of the steps, at the end, over which both learning rates fall to 0."""
    betas: tuple[float, float] = (0.5, 0.999)
    num_workers: Annotated[int, Field(ge=0)]
    """Ranks of the Ray Train group, one per device; 0 trains in this process, without Ray."""
    min_workers: Positive | None = None
    """Train on as few ranks as this rather than wait for machines, and on more again when they are back.
    None: always on `num_workers`. Sums over another number of ranks differ in their last digits."""
    use_gpu: bool
    seed: Seed
    constraints: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the training images that D never sees: they only lend G their known pixels, where a system
    asks for that (Ruffino et al. 2019: 0.2). With 0 every image lends its own."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Decay of the generator's moving average, shorter while the run is young."""
    noise: Weight = 0.0
    """Standard deviation of the noise on every training image (the author's code: 0.05): what G sees around
    the region and is to come near, and what D takes for real."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto measures both at the start and says which it took."""
    flip: bool = True
    """Mirror half of the training images."""
    crops: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Train on squares within the images that are up to so much narrower, anywhere in them: for pictures in
    which things are not as large and not where they are in the training's."""
    report_every: Positive | None = None
    """Steps that count as an epoch: after each, metrics and a checkpoint are written. None: one pass through
    the training images."""
    sample_every: Positive = 5
    """Epochs between two sample grids."""
    history: HistoryParams = HistoryParams()
    max_failures: Annotated[int, Field(ge=0)] = 3
    """How often a lost worker group is started again from the last checkpoint."""

    @model_validator(mode="before")
    @classmethod
    def _betas_are_a_tuple(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("betas"), list):
            values = values | {"betas": tuple(values["betas"])}
        return values

    @model_validator(mode="after")
    def _batch_divides(self) -> TrainParams:
        if not self.num_workers:
            return self
        if (self.min_workers or 1) > self.num_workers:
            raise ValueError(f"min_workers {self.min_workers} is more than num_workers {self.num_workers}")
        for workers in range(self.min_workers or self.num_workers, self.num_workers + 1):
            if self.batch_size % workers:
                raise ValueError(f"batch_size {self.batch_size} does not divide among {workers} workers")
        return self


class RegisterParams(Block):
    """Stage `register`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_\-]+$")] = "roigan"
    """Name of the model in the MLflow registry."""
    experiment: Annotated[str, Field(min_length=1)] = "roigan"
