"""Packing a model folder as an MLflow model: signature, input example, requirements; nothing is pickled."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import ModelSignature
from mlflow.pyfunc import save_model
from mlflow.types import ParamSchema, ParamSpec, Schema, TensorSpec

ROIGAN = Path(__file__).parents[1]
REQUIREMENTS = (
    "torch",
    "numpy",
    "pillow",
    "opencv-python-headless",
    "safetensors",
    "pydantic",
    "ruamel.yaml",
)


def pack(
    target: Path, folder: Path, config: Mapping[str, Any], tags: Mapping[str, str], verb: str = "complete"
) -> None:
    """Write to `target` an MLflow model around a model folder; how it is called: `roigan.tracking.pyfunc`.

    config: the folder's config.json; tags: stored as the model's metadata; verb: what it is asked for.
    """
    save_model(
        target,
        python_model=str(ROIGAN / "tracking" / "pyfunc.py"),
        artifacts={"model": str(folder)},
        code_paths=[str(ROIGAN)],
        **CALLS[verb](config["image_size"], config["channels"]),
        pip_requirements=[f"{package}=={version(package)}" for package in REQUIREMENTS],
        metadata=dict(tags),
    )


def signature(channels: int) -> ModelSignature:
    """Pictures uint8 [B, H, W, C] and masks uint8 [B, H, W, 1] in, pictures out, of any H and W."""
    pictures = TensorSpec(np.dtype("uint8"), (-1, -1, -1, channels), name="image")
    masks = TensorSpec(np.dtype("uint8"), (-1, -1, -1, 1), name="mask")
    completed = TensorSpec(np.dtype("uint8"), (-1, -1, -1, channels))
    controls = [ParamSpec("c", "double", [], (-1,)), ParamSpec("k", "long", [], (-1,))]
    return ModelSignature(
        Schema([pictures, masks]), Schema([completed]), ParamSchema([ParamSpec("seed", "long", 0), *controls])
    )


def completing(size: int, channels: int) -> dict[str, Any]:
    """How a model that completes is called."""
    return {"signature": signature(channels), "input_example": (example(size, channels), {"seed": 0})}


def generating(size: int, channels: int) -> dict[str, Any]:
    """How a model that generates is called: seeds in, one picture uint8 [S, S, C] for each out."""
    seeds = Schema([TensorSpec(np.dtype("int64"), (-1,), name="seed")])
    pictures = Schema([TensorSpec(np.dtype("uint8"), (-1, size, size, channels))])
    example = {"seed": np.arange(2, dtype=np.int64)}
    return {"signature": ModelSignature(seeds, pictures), "input_example": example}


def scoring(size: int, channels: int) -> dict[str, Any]:
    """How a model that scores is called: pictures uint8 [B, H, W, C] in, float64 [B, 3] out."""
    pictures = Schema([TensorSpec(np.dtype("uint8"), (-1, -1, -1, channels), name="image")])
    scores = Schema([TensorSpec(np.dtype("float64"), (-1, 3))])
    shown = {"image": example(size, channels)["image"]}
    return {"signature": ModelSignature(pictures, scores), "input_example": shown}


def projecting(size: int, channels: int) -> dict[str, Any]:
    """How a model that projects is called: pictures of any size in, one of the model's for each out."""
    pictures = Schema([TensorSpec(np.dtype("uint8"), (-1, -1, -1, channels), name="image")])
    found = Schema([TensorSpec(np.dtype("uint8"), (-1, size, size, channels))])
    ramp = {"image": example(size, channels)["image"]}
    return {"signature": ModelSignature(pictures, found), "input_example": ramp}


def example(size: int, channels: int) -> dict[str, np.ndarray]:
    """A horizontal ramp of grey with the central half of both sides to be generated (no one's picture)."""
    ramp = np.linspace(0, 255, size).astype(np.uint8)
    mask = np.zeros((1, size, size, 1), np.uint8)
    mask[:, size // 4 : -size // 4, size // 4 : -size // 4] = 255
    image = np.broadcast_to(ramp[None, None, :, None], (1, size, size, channels))
    return {"image": np.ascontiguousarray(image), "mask": mask}


CALLS = {"complete": completing, "generate": generating, "score": scoring, "project": projecting}
"""By verb: (image size, channels) -> signature and input example."""
