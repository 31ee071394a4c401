"""What the pipeline computes, as hashes: two versions of the code that print the same lines compute the same.

    python -m benchmarks.fingerprint > before.json

runs the stages with few steps on shipped photographs, completes drawn pictures with every release, and runs a
small search; all by commands and files, never by importing what may have moved. Hashes hold on one machine:
sums of floating-point numbers differ between processors in their last digits.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from ruamel.yaml import YAML
from safetensors.numpy import load_file

ROOT = Path(__file__).parent.parent
STAGES = ("prepare", "masks", "features", "train", "register", "evaluate", "control")
PICTURES = 10
CHANGES: dict[str, dict[str, Any]] = {
    "data": {"limit": 320},
    "masks": {"count": 64},
    "features": {"steps": 30},
    "train": {"steps": 20, "num_workers": 0, "precision": "fp32", "report_every": 10},
    "evaluate": {"bootstrap": 10},
    "control": {"train": 200, "test": 100, "steps": 20, "images": 4},
    "tune": {
        "trials": 2, "steps": 8, "report_every": 4, "method": "random", "scheduler": "none", "images": 40,
    },
}  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch)
        found = {**_pipeline(project), **_search(project), **_releases(project)}
    json.dump(found, sys.stdout, indent=1)
    print()


def _run(project: Path, *command: str) -> None:
    foreign = ("MLFLOW_TRACKING_URI", "RAY_ADDRESS", "ROIGAN_CHECKPOINTS")
    own = {name: value for name, value in os.environ.items() if name not in foreign}
    own |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    print(" ".join(command), file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", *command], cwd=project, env=own, stdout=sys.stderr, check=True)


def _pipeline(project: Path) -> dict[str, str]:
    params = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
    for block, changes in CHANGES.items():
        params[block] |= changes
    YAML().dump(_sorted(params), project / "params.yaml")
    for stage in STAGES:
        _run(project, f"pipelines.{stage}")
    found = {
        str(path.relative_to(project)): _of_bytes(path)
        for path in [*project.glob("data/prepared/*.npy"), *project.glob("data/masks/*.npz")]
    }
    found["data/features"] = _of_tensors(project / "data/features/network.safetensors")
    (weights,) = (project / "models/roigan").glob("*.safetensors")
    found["models/roigan"] = _of_tensors(weights)
    for name in ("history", "evaluation", "control", "independence"):
        found[f"reports/{name}.csv"] = _of_table(pd.read_csv(project / f"reports/{name}.csv"))
    samples = sorted((project / "reports/samples").glob("*.png"))
    found["reports/samples"] = hashlib.sha256(b"".join(path.read_bytes() for path in samples)).hexdigest()
    return dict(sorted(found.items()))


def _sorted(value: Any) -> Any:
    """Keys in alphabetical order: that of mask families decides which one a random number draws."""
    return {key: _sorted(value[key]) for key in sorted(value)} if isinstance(value, dict) else value


def _search(project: Path) -> dict[str, str]:
    _run(project, "pipelines.tune")
    return {
        "tuning/trials": _of_table(pd.read_parquet(project / "tuning/trials.parquet").sort_values("trial"))
    }


def _releases(project: Path) -> dict[str, str]:
    random = np.random.default_rng(0)
    for name in ("images", "masks"):
        (project / name).mkdir()
    for i in range(PICTURES):
        coarse = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        coarse.resize((90 + 7 * i, 80), Image.Resampling.BICUBIC).save(project / f"images/{i}.png")
        region = np.zeros((80, 90 + 7 * i), np.uint8)
        region[10 + i : 40 + 3 * i, 20 : 50 + 4 * i] = 255
        Image.fromarray(region).save(project / f"masks/{i}.png")
    found = {}
    for release in sorted((ROOT / "releases").iterdir()):
        out = project / f"out-{release.name}"
        seeds = [str(seed) for seed in range(PICTURES)]
        _run(
            project, "roigan.cli", "complete", "--model", str(release), "--image", "images",
            "--mask", "masks", "--out", str(out), "--seed", *seeds,
        )  # fmt: skip
        digest = hashlib.sha256()
        for path in sorted(out.rglob("*.png")):
            digest.update(path.name.encode() + np.asarray(Image.open(path)).tobytes())
        found[f"releases/{release.name}"] = digest.hexdigest()
    return found


def _of_bytes(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _of_tensors(path: Path) -> str:
    """Of the numbers alone: names and metadata of a file may change with the code."""
    digest = hashlib.sha256()
    for _, tensor in sorted(load_file(path).items()):
        digest.update(tensor.tobytes())
    return digest.hexdigest()


def _of_table(table: pd.DataFrame) -> str:
    """Of all columns but times, ids and rates."""
    kept = table.drop(columns=["seconds", "id", "images_per_s"], errors="ignore")
    return hashlib.sha256(kept.to_csv(index=False).encode()).hexdigest()


if __name__ == "__main__":
    main()
