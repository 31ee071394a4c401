"""Packing a model folder as an MLflow model: signature, input example, requirements; nothing is pickled."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mlflow.pyfunc import save_model

from roigan.tracking.services import service_of

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


def pack(target: Path, folder: Path, config: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Write to `target` an MLflow model around a model folder; how it is called: `roigan.tracking.pyfunc`.

    config: the folder's config.json; tags: stored as the model's metadata.
    """
    save_model(
        target,
        python_model=str(ROIGAN / "tracking" / "pyfunc.py"),
        artifacts={"model": str(folder)},
        code_paths=[str(ROIGAN)],
        **service_of(config).call(config["image_size"], config["channels"]),
        pip_requirements=[f"{package}=={version(package)}" for package in REQUIREMENTS],
        metadata=dict(tags),
    )
