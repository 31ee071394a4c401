"""The typed configuration: the only reader of params.yaml, one frozen block per stage."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from roigan.errors import UserError

Positive = Annotated[int, Field(gt=0)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
MaskFamily = Literal["rectangle", "ellipse", "mixture", "half", "centre", "border", "free_form", "scattered"]


class _Loader(yaml.SafeLoader):
    """Reads 3e-4 as a number, as YAML 1.2 does and DVC writes; YAML 1.1 wants 3.0e-4."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_yaml(text: str) -> Any:
    """The content of a YAML text; plain data only. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=_Loader)


class Block(BaseModel):
    """A block of params.yaml: immutable, unknown keys refused, values never coerced between types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DataParams(Block):
    """Stage `prepare`: a source becomes packed uint8 arrays."""

    source: Literal["photos", "digits", "folder", "celeba", "mnist", "fashion_mnist"]
    path: str | None = None
    """Folder or zip of the source; None for the sources that ship with a package (photos, digits)."""
    image_size: Literal[16, 32, 64, 128, 256]
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
    """Share of pixels that the family `scattered` keeps."""
    seed: Seed = 0

    @model_validator(mode="after")
    def _something_to_sample(self) -> MaskParams:
        if sum(self.train.values()) <= 0:
            raise ValueError("masks.train needs at least one family with a positive weight")
        if len(set(self.evaluate)) != len(self.evaluate) or not self.evaluate:
            raise ValueError("masks.evaluate needs at least one family, each once")
        return self


class FeatureParams(Block):
    """Stage `features`: the network behind the perceptual loss, FID and KID."""

    network: Literal["local", "vgg16", "inception"]
    path: str | None = None
    """Weights of vgg16 or inception as a local file; None lets torchvision download them."""
    width: Positive = 24
    """Channels of the local network's first layer; it has four times as many features."""
    steps: Positive = 300
    batch_size: Positive = 48
    lr: Rate = 2e-3
    seed: Seed = 0


class ModelParams(Block):
    """The networks."""

    system: Literal["roigan"]
    width: Annotated[float, Field(gt=0, le=4)]
    """Multiplies every channel count; 1.0 is the thesis."""
    noise: Positive = 146
    """Numbers of incompressible noise z0."""
    sliders: Positive = 10
    """Continuous controls c, each in [-1, 1]."""
    codes: Positive = 10
    """Discrete controls k."""
    values: Annotated[int, Field(ge=2)] = 10
    """Values that each discrete control can take."""
    equalized: bool = True
    """Equalised learning rate (3.20)."""
    spectral_norm: bool = False
    """Spectral normalisation in D (the author's code has it, the thesis does not)."""
    blend: Literal["none", "colours", "membrane"] = "membrane"
    """How a filling meets its surroundings. The thesis' normalisations hide the colours around the region
    from G (none); G may paint onto their smooth continuation (colours); and what is left of the difference
    at the edge may be spread over the region, as in Poisson blending (membrane)."""
    direct_controls: bool = True
    """Sliders and codes are scaled to be heard through the noise (92 % of the energy in the thesis), a code
    is a point on a circle, and both style the denormalisations beside f(z), where nothing scrambles them."""
    reader: Literal["trunk", "own"] = "own"
    """What Q reads the controls from: D's last maps, as in the thesis, or the completed image, by
    convolutions of its own."""
    output_norm: bool = False
    """InstanceNorm before the final tanh, as in the thesis: all images then have one mean and contrast."""


class LossParams(Block):
    """One weight per row of the thesis' loss table; the formulas are in roigan/losses and roigan/systems."""

    adv_d: Weight = 1.0
    gp: Weight = 0.5
    """The thesis' 5 kept D's hinge loss at 2 for the first hundreds of steps."""
    zero: Weight = 1e-4
    adv_g: Weight = 1.0
    fm: Weight = 1.0
    perceptual: Weight = 5.0
    """On maps scaled to a mean of 1 each, whatever the feature network."""
    tv: Weight = 0.5
    kl: Weight = 0.5
    info: Weight = 0.3
    l1: Weight = 0.0
    style: Weight = 0.0


class PenaltyParams(Block):
    """How the gradient penalty (3.10) reads where the thesis contradicts itself."""

    region: Literal["inside", "outside", "everywhere"] = "inside"
    """Where D's gradient is measured: the thesis' text says inside M, its equation and code outside."""
    scores: Literal["mean", "sum"] = "mean"
    """What is differentiated: the mean or the sum of D's scores of an image."""
    every: Positive = 4
    """Lazy penalty: computed at every n-th step and multiplied by n (Karras et al. 2020)."""


class TrainParams(Block):
    """Stage `train`."""

    steps: Positive
    batch_size: Positive
    """Images per step over all workers together."""
    lr_g: Rate
    lr_d: Rate
    decay: Share = 0.25
    """Share of the steps, at the end, over which both learning rates fall to 0."""
    betas: tuple[float, float] = (0.5, 0.999)
    num_workers: Annotated[int, Field(ge=0)]
    """Ranks of the Ray Train group, one per device; 0 trains in this process, without Ray."""
    use_gpu: bool
    seed: Seed
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Decay of the generator's moving average, shorter while the run is young."""
    noise: Weight = 0.0
    """Standard deviation of the noise added to the images that D sees (the author's code: 0.05)."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto measures both at the start and says which it took."""
    flip: bool = True
    """Mirror half of the training images."""
    sample_every: Positive = 5
    """Epochs between two sample grids."""
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
        if self.num_workers and self.batch_size % self.num_workers:
            raise ValueError(
                f"batch_size {self.batch_size} does not divide among num_workers {self.num_workers}"
            )
        return self


class RegisterParams(Block):
    """Stage `register`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_\-]+$")] = "roigan"
    """Name of the model in the MLflow registry."""
    experiment: Annotated[str, Field(min_length=1)] = "roigan"


class EvaluateParams(Block):
    """Stage `evaluate`."""

    limit: Positive | None = None
    """At most this many test images; None takes all."""
    batch_size: Positive = 200
    diversity_images: Positive = 32
    """Images on which diversity across z is measured, with `diversity_samples` fillings each."""
    diversity_samples: Annotated[int, Field(ge=2)] = 4
    fmm_radius: Positive = 3
    """Radius in pixels of OpenCV's fast marching (TELEA)."""
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


class Gate(Block):
    """A condition for promotion: `metric` under `mask` is below (or above) a number or a method's value."""

    metric: Literal["fid", "kid", "pids", "uids", "percep", "l1", "psnr", "ssim", "border", "diversity"]
    mask: MaskFamily
    below: float | Literal["fmm", "nearest", "real"] | None = None
    above: float | Literal["fmm", "nearest", "real"] | None = None

    @model_validator(mode="after")
    def _one_side(self) -> Gate:
        if (self.below is None) == (self.above is None):
            raise ValueError("a gate has either `below` or `above`")
        return self


class Params(Block):
    """All of params.yaml."""

    data: DataParams
    masks: MaskParams
    features: FeatureParams
    model: ModelParams
    losses: LossParams = LossParams()
    penalty: PenaltyParams = PenaltyParams()
    train: TrainParams
    register_: RegisterParams = Field(default=RegisterParams(), alias="register")
    evaluate: EvaluateParams = EvaluateParams()
    control: ControlParams = ControlParams()
    gates: list[Gate] = []

    @model_validator(mode="after")
    def _gates_are_measured(self) -> Params:
        for gate in self.gates:
            if gate.mask not in self.masks.evaluate:
                raise ValueError(f"gates: mask {gate.mask!r} is not in masks.evaluate")
        return self

    def fingerprint(self, *blocks: str) -> str:
        """Hash of the named blocks (all of them where none is named): 16 hexadecimal digits."""
        content = self.model_dump(mode="json", by_alias=True)
        chosen = {name: content[name] for name in blocks or content}
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:16]


def load_params(path: str | Path = "params.yaml") -> Params:
    """Read and check a parameter file.

    Raises UserError with one line that names the key for a missing or malformed file, an unknown key or an
    ill-typed value.
    """
    path = Path(path)
    try:
        content = read_yaml(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; run from the project's folder") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    return parse_params(content, str(path))


def parse_params(content: Any, origin: str = "params.yaml") -> Params:
    """Check a parsed parameter file; see `load_params`."""
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{origin}: {_first_complaint(error)}") from None


def changed(params: Params, changes: Mapping[str, Any]) -> Params:
    """The parameters with some keys, by their dotted names ("train.steps"), replaced and checked again."""
    content = params.model_dump(mode="json", by_alias=True)
    for key, value in changes.items():
        *blocks, last = key.split(".")
        target = content
        for block in blocks:
            target = target[block]
        target[last] = value
    return parse_params(content)


def _first_complaint(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key {where}{_suggestion(first['loc'])}"
    if first["type"] == "missing":
        return f"{where} is missing"
    message = first["msg"].removeprefix("Value error, ")
    given = first["input"]
    shown = f" (got {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{where + ': ' if where else ''}{message}{shown}"


def _suggestion(location: tuple[int | str, ...]) -> str:
    """' (did you mean ...?)' where a known key of the same block is spelled alike."""
    block: type[BaseModel] = Params
    for part in location[:-1]:
        field = block.model_fields.get(str(part)) or block.model_fields.get(f"{part}_")
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ""
        block = annotation
    known = [field.alias or name for name, field in block.model_fields.items()]
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f" (did you mean {'.'.join([*map(str, location[:-1]), close[0]])}?)" if close else ""
