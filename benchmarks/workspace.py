"""A project folder of shipped photographs, as it is before the stage `train`, and the stage as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from roigan.config import Params, changed, load_params
from roigan.config.reading import write_yaml
from roigan.datasets.prepare import prepare
from roigan.features.network import make_networks
from roigan.files import paths

ROOT = Path(__file__).parent.parent
FOREIGN = ("MLFLOW_TRACKING_URI", "RAY_ADDRESS", "ROIGAN_CHECKPOINTS")
SMALL = {
    "data.source": "photos", "data.path": None, "data.image_size": 64, "data.channels": 3, "data.limit": 640,
    "features.steps": 10, "evaluate.judge": None,
}  # fmt: skip


def lay_out(folder: Path, changes: dict[str, Any]) -> Params:
    """Images, features and params.yaml of a few photographs; returns the parameters: the default, changed."""
    params = changed(load_params(), SMALL | changes)
    prepare(params.data, folder / paths.PREPARED)
    make_networks(folder, params)
    write(folder, params)
    return params


def write(folder: Path, params: Params) -> None:
    """The folder's params.yaml."""
    (folder / "params.yaml").write_text(write_yaml(params.model_dump(mode="json", by_alias=True)))


def start_train(folder: Path, output: IO[Any], **environment: str) -> subprocess.Popen[bytes]:
    """The stage `train` as DVC starts it, on this code and on stores of the folder's own."""
    inherited = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.train"],
        cwd=folder, stdout=output, stderr=subprocess.STDOUT,
        env=inherited | {"PYTHONPATH": str(ROOT)} | environment,
    )  # fmt: skip
