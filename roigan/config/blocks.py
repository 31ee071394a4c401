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


Source = Literal["mnist_5k", "photos", "digits", "drawn", "folder", "celeba", "mnist", "fashion_mnist"]
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
    """Folder or zip of the source; None for the sources that need none (mnist_5k, photos, digits, drawn)."""
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

    network: Literal["local", "efficientnet_lite0", "vgg16", "inception"]
    path: str | None = None
    """Weights as a local file; None: as they come with a package (efficientnet_lite0) or are downloaded."""
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


class SearchParams(Block):
    """How a model of whole images completes one: by a search for the z whose image fits what is known."""

    alpha: Weight = 0.5
    """Of the differences of known pixels (Yeh et al. 2017: 1)."""
    beta: Weight = 0.5
    """Of the differences of their gradients (Vitoria et al. 2019); Yeh: 0."""
    eta: Weight = 0.003
    """Of what D thinks of the image. The other two are sums over pixels, this is one number per image."""
    weights: Literal["W", "K"] = "W"
    """W: a known pixel counts by the share of unknown ones around it (36); K: all known pixels alike."""
    window: Positive = 7
    """Side of that neighbourhood in pixels, odd."""
    norm: Literal["l1", "l2"] = "l1"
    """Differences as they are, or squared."""
    optimizer: Literal["adam", "lbfgs"] = "adam"
    steps: Annotated[int, Field(ge=0)] = 300
    """Of the optimiser; 0 takes the best of the pool."""
    lr: Rate = 0.05
    """Adam's; the length of the first step of L-BFGS."""
    bound: Rate = 4.0
    """Every number of z, N(0, 1) by its law, is held in [-bound, bound]."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of the networks while they are searched; auto measures both and takes the faster."""
    pool: Positive = 1
    """Vectors drawn per image, of which the best are started from."""
    restarts: Positive = 1
    """Searches per image; the one that ends best counts. At most `pool` of them."""
    blend: Literal["none", "membrane", "poisson"] = "poisson"
    """How the found image meets what is known."""

    @model_validator(mode="after")
    def _can_be_searched(self) -> SearchParams:
        if not self.alpha and not self.beta:
            raise ValueError("alpha and beta are both 0, so nothing known counts")
        if self.window % 2 == 0:
            raise ValueError(f"window is {self.window}, but a neighbourhood has an odd side")
        if self.restarts > self.pool:
            raise ValueError(f"restarts {self.restarts} is more than pool {self.pool}")
        return self


class ProjectParams(Block):
    """How an image is projected onto the manifold of a prior (iGAN)."""

    method: Literal["optimisation", "network", "hybrid"] = "hybrid"
    """Searched from a random z, by the network P, or searched from P's answer."""
    space: Literal["normal", "uniform"] = "normal"
    """Where a search walks: N(0, 1), or U(-1, 1), which `dcgan` hears."""
    optimizer: Literal["adam", "lbfgs"] = "lbfgs"
    steps: Annotated[int, Field(ge=0)] = 50
    lr: Rate = 1.0
    """Adam's; the length of the first step of L-BFGS."""
    bound: Rate = 4.0
    """Every number is held in [-bound, bound]; in `uniform`, in [-1, 1] at most."""
    restarts: Positive = 1
    """Searches of `optimisation` per image; the one that ends best counts."""


class PaintParams(Block):
    """How brushes move z (iGAN)."""

    sketch: Weight = 0.2
    """Of a sketch's outlines, beside 1 of a colour."""
    eps: Weight = 1e-3
    """Under the root in the descriptor of outlines; gradients below 2.4 times its root do not count."""
    lam_s: Weight = 5.0
    """Of the mean square of what z has moved."""
    lam_d: Weight = 0.0
    """Of what D thinks of the image."""
    steps: Annotated[int, Field(ge=0)] = 40
    """Of Adam, after every change of a stroke."""
    lr: Rate = 0.1
    candidates: Positive = 1
    """Searches side by side; the first one starts from the image as it is, the others around it."""
    spread: Weight = 0.5
    """How far around."""
    frames: Annotated[int, Field(ge=2)] = 8
    """Of the path from the image as it was to the edited one, along which the edit is carried over."""


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
    "fmm", "nearest", "copy", "mean", "real", "champion", "nearest feature", "pca", "forest", "svm", "ink",
    "last critic", "early critic", "mean critic", "mean of scores", "anogan", "grey", "by_lightness", "ridge",
    "nearest5", "welsh", "random",
]  # fmt: skip
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
        if self.control and isinstance(self.below if self.above is None else self.above, str):
            raise ValueError("a gate on `control` compares with a number")
        return self

    @property
    def under(self) -> str | None:
        """What marks its row in a table: `mask`, or `set`."""
        return self.mask or self.set
