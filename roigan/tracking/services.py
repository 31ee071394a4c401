"""What a registered model offers by its verb: words for its card, a command, how MLflow's server calls it.

What the server answers: `answers.py`, which nobody imports who only packs or lists models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import ParamSchema, ParamSpec, Schema, TensorSpec


class Service(NamedTuple):
    """A verb as users of the registry meet it."""

    what: str
    """A model whose first verb it is, in one sentence."""
    bounds: str
    """What it leaves alone and where it ends; {size} is filled in."""
    use: str
    """The command that asks for it; {model} is filled in."""
    call: Callable[[int, int], dict[str, Any]]
    """(image size, channels) -> MLflow's `signature` and `input_example`."""
    paints: bool = True
    """Whether pictures come out."""


def completing(size: int, channels: int) -> dict[str, Any]:
    """Pictures uint8 [B, H, W, C] and masks uint8 [B, H, W, 1] in, pictures out, of any H and W."""
    masks = _tensors("uint8", -1, -1, -1, 1, name="mask")
    completed = Schema([_tensors("uint8", -1, -1, -1, channels)])
    controls = [ParamSpec("c", "double", [], (-1,)), ParamSpec("k", "long", [], (-1,))]
    parameters = ParamSchema([ParamSpec("seed", "long", 0), *controls])
    shown = np.zeros((1, size, size, 1), np.uint8)
    shown[:, size // 4 : -size // 4, size // 4 : -size // 4] = 255
    return {
        "signature": ModelSignature(Schema([_pictures(channels), masks]), completed, parameters),
        "input_example": ({"image": _ramp(size, channels), "mask": shown}, {"seed": 0}),
    }


def generating(size: int, channels: int) -> dict[str, Any]:
    """Seeds int64 [B] in, a picture uint8 [S, S, C] for each out."""
    seeds = Schema([_tensors("int64", -1, name="seed")])
    pictures = Schema([_tensors("uint8", -1, size, size, channels)])
    example = {"seed": np.arange(2, dtype=np.int64)}
    return {"signature": ModelSignature(seeds, pictures), "input_example": example}


def scoring(size: int, channels: int) -> dict[str, Any]:
    """Pictures in, float64 [B, 4] out: score, percentile, flag, p-value."""
    scores = Schema([_tensors("float64", -1, 4)])
    example = {"image": _ramp(size, channels)}
    return {"signature": ModelSignature(Schema([_pictures(channels)]), scores), "input_example": example}


def projecting(size: int, channels: int) -> dict[str, Any]:
    """Pictures in, one of the model's own uint8 [S, S, C] for each out."""
    found = Schema([_tensors("uint8", -1, size, size, channels)])
    example = {"image": _ramp(size, channels)}
    return {"signature": ModelSignature(Schema([_pictures(channels)]), found), "input_example": example}


def _tensors(kind: str, *sizes: int, name: str | None = None) -> TensorSpec:
    return TensorSpec(np.dtype(kind), sizes, name=name)


def _pictures(channels: int) -> TensorSpec:
    return _tensors("uint8", -1, -1, -1, channels, name="image")


def _ramp(size: int, channels: int) -> np.ndarray:
    """A picture of nobody, uint8 [1, S, S, C]: grey that gets lighter from left to right."""
    shades = np.linspace(0, 255, size).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(shades[None, None, :, None], (1, size, size, channels)))


SERVICES = {
    "complete": Service(
        "New content inside a region of an image.",
        """Outside the region every pixel stays as it was.

* Resolution {size}; of larger pictures the region is cut out.""",
        "roigan complete --model {model} --image in.png --mask mask.png --out out.png",
        completing,
    ),
    "generate": Service(
        "Images from nothing but a latent vector.",
        """No picture is needed or changed.

* Resolution {size}.""",
        "roigan generate --model {model} --seed 0 1 2 --out FOLDER",
        generating,
    ),
    "score": Service(
        "How little an image is like the training images.",
        """Higher is more anomalous; no picture is changed.

* Resolution {size}; larger pictures are cut square and resized.
* It knows anomalies from what a generator painted while it learnt. What is far from both may score as normal:
  look at the noise curve of the report before you trust it with pictures from elsewhere.""",
        "roigan score --model {model} --image FOLDER --out scores.csv",
        scoring,
        paints=False,
    ),
    "project": Service(
        "A model's own image that is near a given one, and its latent vector.",
        """What is found is an image of the model's, like those it was trained on, whatever is given.

* Resolution {size}; of other pictures the largest square is resized.""",
        "roigan project --model {model} --image in.png --out out.png",
        projecting,
    ),
}


def service_of(config: Mapping[str, Any]) -> Service:
    """What the model of a config.json is asked for first; before there was a choice, they all completed."""
    return SERVICES[config.get("verbs", ["complete"])[0]]
