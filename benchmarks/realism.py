"""Whether a word of D makes edits more real (iGAN, claim 6): the FID of random edits over its weight lam_D.

    python -m benchmarks.realism NAME MODEL PROJECT [--edits 500]

MODEL: the folder of a model with a prior, PROJECT: a folder with data/prepared and data/judge. An edit is a
square somewhere in one of the prior's own images, to be of one random colour. Appends rows to
docs/results/igan-realism.csv: FID of the edited images to test images by the judge, what is left
of the stroke, and the same FID of the images before the edit and of other test images.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from roigan.config import PaintParams
from roigan.errors import exit_on_user_error
from roigan.evaluation.metrics import fid
from roigan.features.network import load_features
from roigan.files import paths
from roigan.images.arrays import load_split, to_uint8
from roigan.inference.brushes import colour
from roigan.inference.manipulation import paint, placed, whole
from roigan.systems.model import Model

RESULTS = Path("docs/results/igan-realism.csv")
WEIGHTS = (0.0, 0.03, 0.3)
SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("model", type=Path)
    parser.add_argument("project", type=Path)
    parser.add_argument("--edits", type=int, default=500)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    model, judge = Model.load(asked.model), load_features(asked.project / paths.JUDGE)
    test = np.asarray(load_split(asked.project / paths.PREPARED, "test"))
    real, others = (judge.embed_images(part) for part in (test[: asked.edits], test[asked.edits :]))

    def distance(images: np.ndarray) -> float:
        return fid.distance(fid.statistics(judge.embed_images(images)), fid.statistics(real))

    canvas, prior = whole(model), model.prior or model
    z = placed(prior.latent(asked.edits, torch.Generator().manual_seed(SEED)))
    with torch.no_grad():
        before = canvas.G(z)
    strokes = [stroke(before.shape[1:], generator) for generator in seeded(asked.edits)]
    rows: list[dict[str, Any]] = [
        {"edit": "none", "fid": distance(to_uint8(before))},
        {"edit": "real images", "fid": fid.distance(fid.statistics(others), fid.statistics(real))},
    ]
    for lam_d in WEIGHTS:
        params, images, left = PaintParams(lam_d=lam_d), [], []
        for z0, (v, B) in zip(z.split(1), strokes, strict=True):
            found = paint(canvas, [colour(v, B)], z0, params, z0)
            images.append(found.images)
            left.append(found.terms["colour 1"].item())
        row = {"edit": "colour", "lam_d": lam_d, "left": np.mean(left)}
        rows.append(row | {"fid": distance(to_uint8(torch.cat(images)))})
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows).assign(data=asked.name, edits=asked.edits, seed=SEED)
    earlier = [pd.read_csv(RESULTS)] if RESULTS.is_file() else []
    pd.concat([*earlier, table]).to_csv(RESULTS, index=False, float_format="%.4g")
    print(table.to_string(index=False, float_format="%.4g"))


def seeded(n: int) -> list[torch.Generator]:
    """One for every edit, so that the first ones are the same however many there are."""
    return [torch.Generator().manual_seed(SEED + number) for number in range(n)]


def stroke(shape: torch.Size, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """v [C, S, S] of one colour in [-1, 1], and B [1, S, S]: a square of a quarter of the side, not at the
    border."""
    channels, side = shape[0], shape[-1]
    v = (2 * torch.rand(channels, 1, 1, generator=generator) - 1).expand(shape)
    top, left = torch.randint(side // 8, side * 5 // 8, (2,), generator=generator).tolist()
    B = torch.zeros(1, side, side)
    B[:, top : top + side // 4, left : left + side // 4] = 1
    return v, B


if __name__ == "__main__":
    exit_on_user_error(main)
