"""iGAN's projections: how near each method comes, image by image, and what it costs.

    python -m benchmarks.igan NAME MODEL PREPARED [--classes 5,7,9] [--images 100] [--starts]

MODEL: the folder of a model of system `igan`; PREPARED: a folder that the stage `prepare` has written, whose
first test images (of some classes) are projected. Appends rows to docs/results/igan.csv: the mean squared
difference L in [-1, 1] with its standard error, its paired difference from the hybrid with its standard
error, and the seconds per image that one core works. `--starts`: the optimisation from 1, 2, 4 ... 128 random
starts instead.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from roigan.config import ProjectParams
from roigan.errors import exit_on_user_error
from roigan.evaluation.methods import mean_image, nearest_image
from roigan.images.arrays import load_labels, load_split, to_float
from roigan.inference.projection import Projector
from roigan.losses.reconstruction import squared
from roigan.systems.model import Model

RESULTS = Path("docs/results/igan.csv")
ORIGIN = "optimisation from z = 0"
TRAINED = 5000  # training images that the nearest one is sought among, at most
SEARCHES: dict[str, dict[str, Any]] = {
    "network": {"method": "network"},
    "optimisation": {"method": "optimisation"},
    "optimisation, bounds on u": {"method": "optimisation", "space": "uniform"},
    ORIGIN: {"method": "optimisation"},
    "hybrid": {"method": "hybrid"},
    "hybrid, bounds on u": {"method": "hybrid", "space": "uniform"},
}
STARTS = {
    f"optimisation, {n} starts": {"method": "optimisation", "restarts": n}
    for n in (1, 2, 4, 8, 16, 32, 64, 128)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("model", type=Path)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--classes", type=lambda text: [int(part) for part in text.split(",")])
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--starts", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    model = Model.load(asked.model)
    x = to_float(images(asked.prepared, "test", asked.classes)[: asked.images])
    found = {} if asked.starts else floors(x, images(asked.prepared, "train", asked.classes)[:TRAINED])
    for name, changes in (STARTS | {"hybrid": SEARCHES["hybrid"]} if asked.starts else SEARCHES).items():
        z = model.latent(len(x), torch.Generator().manual_seed(0))
        if name == ORIGIN:
            z = torch.zeros_like(z)
        project = Projector(model, ProjectParams.model_validate(changes))
        found[name] = timed(lambda project=project, z=z: project(x, z).loss)
        print(name, f"{found[name][0].mean():.4f}", flush=True)
    table = pd.DataFrame([row(asked.name, name, *each, found["hybrid"][0]) for name, each in found.items()])
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    before = [pd.read_csv(RESULTS)] if RESULTS.is_file() else []
    pd.concat([*before, table]).to_csv(RESULTS, index=False, float_format="%.4g")
    print(table.to_string(index=False, float_format="%.4g"))


def images(prepared: Path, split: str, classes: list[int] | None) -> np.ndarray:
    """uint8 [N, S, S, C]."""
    every = load_split(prepared, split)
    if not classes:
        return np.asarray(every)
    labels = load_labels(prepared, split)
    assert labels is not None, "these images have no classes"
    return np.asarray(every[np.isin(labels, classes)])


def floors(x: Tensor, train: np.ndarray) -> dict[str, tuple[Tensor, float]]:
    """The mean image and the nearest training image."""
    nothing, generator = torch.zeros_like(x[:, :1]), torch.Generator()
    rivals = {"mean image": mean_image(train), "nearest image": nearest_image(train)}
    return {name: timed(lambda f=f: squared(f(x, nothing, generator), x)) for name, f in rivals.items()}


def timed(work: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """What comes of it, and the seconds that the core worked: others may have had it in between."""
    begun = time.process_time()
    return work(), time.process_time() - begun


def row(data: str, method: str, loss: Tensor, seconds: float, best: Tensor) -> dict[str, Any]:
    """A line of the table."""
    worse = loss - best
    return {
        "data": data, "method": method, "images": len(loss), "L": loss.mean().item(),
        "L_error": error(loss), "above_hybrid": worse.mean().item(), "above_hybrid_error": error(worse),
        "seconds": seconds / len(loss),
    }  # fmt: skip


def error(values: Tensor) -> float:
    """The standard error of a mean."""
    return values.std().item() / len(values) ** 0.5


if __name__ == "__main__":
    exit_on_user_error(main)
