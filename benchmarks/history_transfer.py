"""Whether what is best on spoilt validation images is best on anomalies: every variant of HistoryAD on both.

    python -m benchmarks.history_transfer docs/results/history-transfer.csv FOLDER...

Folders and variants are those of `benchmarks.history_ad`. What Ray Tune seeks is `ap_spoilt`; `ap_anomalous`
is on test images, at most 3,000 normal ones and 333 anomalies. Prints the rank correlation of the two.
"""

from __future__ import annotations

import argparse
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.history_ad import VARIANTS, trained
from roigan.config import changed, load_params
from roigan.evaluation.detectors import scored
from roigan.evaluation.foreign import MADE, SPOILT, made
from roigan.evaluation.metrics.ranking import ranking
from roigan.files import paths
from roigan.images.arrays import load_split
from roigan.systems.model import Model

NORMAL, ANOMALIES = 3000, 333


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    arguments = parser.parse_args()
    out, rows = arguments.out.resolve(), list[dict[str, Any]]()
    for folder in arguments.folders:
        for name, changes in VARIANTS.items():
            with chdir(folder):
                model = trained(changed(load_params(), changes))
                rows.append({"project": folder.name, "variant": name, **both(model)})
            pd.DataFrame(rows).to_csv(out, index=False, float_format="%.4g")
    table = pd.DataFrame(rows)
    for project, own in table.groupby("project"):
        print(project, len(own), round(own["ap_spoilt"].corr(own["ap_anomalous"], method="spearman"), 2))


def both(model: Model) -> dict[str, float]:
    """The model's figures in the project that is the current folder."""
    val = np.asarray(load_split(paths.PREPARED, "val")[:MADE])
    random = np.random.default_rng(0)
    test, anomalies = (
        images[random.permutation(len(images))[:count]]
        for split, count in (("test", NORMAL), ("anomalous", ANOMALIES))
        for images in [np.asarray(load_split(paths.PREPARED, split))]
    )
    score = scored(model).score
    spoilt = ranking(score(val), score(made(val, 0)[SPOILT]))
    anomalous = ranking(score(test), score(anomalies))
    return {
        "ap_spoilt": spoilt["ap"].item(),
        "ap_anomalous": anomalous["ap"].item(),
        "auroc_anomalous": anomalous["auroc"].item(),
    }


if __name__ == "__main__":
    main()
