"""Which known factor does each slider control? MIG, DCI and correlations of a model of drawn faces.

    python -m benchmarks.factors MODEL

MODEL: a folder with weights and config, trained on the source `drawn`. A reader learns the factors from
freshly drawn faces, which no split holds; then other ones are completed with random sliders, in the centred
square that hides eyes and mouth, and the reader says what they have become. MIG and DCI are those of the
hidden factors: no slider should move what is seen around the region. Writes docs/results/factors.csv.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.measuring import provenance
from roigan.config import ControlParams
from roigan.corruptions.sampling import sample
from roigan.datasets.synthetic_faces import CONTINUOUS, DISCRETE, HIDDEN, KINDS, draw_face, draw_factors
from roigan.errors import UserError, exit_on_user_error
from roigan.evaluation.control import correlation, taught
from roigan.evaluation.metrics.disentangle import dci, mig
from roigan.images.arrays import to_float
from roigan.nets.control_reader import Reader
from roigan.systems.model import Model

RESULTS = Path("docs/results/factors.csv")
FRESH = 2**31  # beyond every data.seed
READER = ControlParams(train=4000, steps=800)
FACES = 2000  # completed
CHUNK = 50  # faces at a time


def main() -> None:
    if len(sys.argv) != 2:
        raise UserError("usage: python -m benchmarks.factors MODEL")
    torch.set_num_threads(1)
    model = Model.load(sys.argv[1])
    if model.config["data"]["source"] != "drawn" or model.channels != 3 or model.sliders < 2:
        raise UserError(f"{sys.argv[1]} is no model of drawn faces with colours and sliders")
    table = measure(model)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    about = provenance(torch.device("cpu"))
    table.assign(model=model.sha256[:16], commit=about["commit"]).to_csv(RESULTS, float_format="%.4g")
    print(table.to_string(float_format="%.3f"))


def measure(model: Model) -> pd.DataFrame:
    """Rows: the sliders, each with its |correlation| with every factor; what forests tell of a factor from
    all sliders (DCI); what the reader tells of drawn faces, which bounds the rest. MIG and DCI stand beside.
    """
    reader = factor_reader(model.image_size)
    x, factors = faces(FACES, model.image_size, FRESH + 1)
    drawn = read(reader, x)
    generator = torch.Generator().manual_seed(0)
    c = 2 * torch.rand(FACES, model.sliders, generator=generator) - 1
    M = sample("centre", FACES, model.image_size, generator)
    z = model.latent(FACES, generator, c)
    parts = zip(x.split(CHUNK), M.split(CHUNK), z.split(CHUNK), strict=True)
    became = read(reader, torch.cat([model.complete(*part) for part in parts]))

    names, n = [*CONTINUOUS, *DISCRETE], len(CONTINUOUS)
    hidden = became[:, [names.index(name) for name in HIDDEN]]
    scores = dci(c.numpy(), hidden)
    kinds = F.one_hot(torch.from_numpy(became[:, n:]).long(), KINDS).flatten(1)  # [N, discrete * KINDS]
    matrix = correlation(c, torch.cat([torch.from_numpy(became[:, :n]), kinds], 1).float())
    of_kinds = matrix[:, n:].reshape(model.sliders, len(DISCRETE), KINDS).max(2)
    error = ((drawn - factors)[:, :n] ** 2).mean(0) / factors[:, :n].var(0)
    right = (drawn == factors)[:, n:].mean(0)
    rows = {f"c{i}": row for i, row in enumerate(np.hstack([matrix[:, :n], of_kinds]))}
    table = pd.DataFrame(rows | {"reader": np.concatenate([1 - error, right])}, names).T
    table.loc["told by all", [*HIDDEN]] = scores.informativeness
    return table.assign(
        mig=mig(c.numpy(), hidden),
        disentanglement=scores.disentanglement,
        completeness=scores.completeness,
    )


def faces(count: int, size: int, seed: int) -> tuple[Tensor, np.ndarray]:
    """Drawn faces x [N, 3, S, S] and their factors [N, F]."""
    factors = draw_factors(count, seed)
    return to_float(np.stack([draw_face(row, size) for row in factors])), factors


def factor_reader(size: int) -> Reader:
    """A network that has learnt the factors of drawn faces: continuous ones as sliders, discrete as codes."""
    x, factors = faces(READER.train, size, FRESH)
    c, k = torch.from_numpy(factors).split([len(CONTINUOUS), len(DISCRETE)], dim=1)
    return taught(x, x[:, :1] * 0, c.float(), k.long(), KINDS, READER, torch.Generator().manual_seed(0))


@torch.no_grad()
def read(reader: Reader, x: Tensor) -> np.ndarray:
    """The factors of images, as `draw_factors` gives them: [N, F]."""
    readings = [reader(part, part[:, :1] * 0) for part in x.split(CHUNK)]
    found = [torch.cat([r.mu, r.logits.argmax(2)], 1) for r in readings]
    return torch.cat(found).double().numpy()


if __name__ == "__main__":
    exit_on_user_error(main)
