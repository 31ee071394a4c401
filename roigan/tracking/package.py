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
REQUIREMENTS = ("torch", "numpy", "pillow", "opencv-python-headless", "safetensors", "pydantic", "pyyaml")


def pack(target: Path, folder: Path, config: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Write to `target` an MLflow model around a model folder; how it is called: `roigan.served`.

    config: the folder's config.json; tags: stored as the model's metadata.
    """
    save_model(
        target,
        python_model=str(ROIGAN / "tracking" / "pyfunc.py"),
        artifacts={"model": str(folder)},
        code_paths=[str(ROIGAN)],
        signature=signature(config["channels"]),
        input_example=(example(config["image_size"], config["channels"]), {"seed": 0}),
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


def example(size: int, channels: int) -> dict[str, np.ndarray]:
    """A horizontal ramp of grey with the central half of both sides to be generated (no one's picture)."""
    ramp = np.linspace(0, 255, size).astype(np.uint8)
    mask = np.zeros((1, size, size, 1), np.uint8)
    mask[:, size // 4 : -size // 4, size // 4 : -size // 4] = 255
    image = np.broadcast_to(ramp[None, None, :, None], (1, size, size, channels))
    return {"image": np.ascontiguousarray(image), "mask": mask}
