"""Short paired runs: the default and one change at a time, same seed, data and steps; one row each.

    python -m benchmarks.decisions [VARIANT ...]       (all of them, where none is named)

Works in a project folder whose stages `prepare` and `features` have run (32 px are enough, see
docs/decisions.md), and appends to docs/results/decisions.csv. Rows that are there already are not computed
again.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.trial import run_all

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "default, seed 1": {"train.seed": 1},
    "blend none": {"model.blend": "none"},
    "blend colours": {"model.blend": "colours"},
    "controls through the mapping": {"model.direct_controls": False},
    "reader on D's trunk": {"model.reader": "trunk"},
    "chroma 0": {"losses.chroma": 0.0},
    "l1 4": {"losses.l1": 4.0},
    "perceptual 1": {"losses.perceptual": 1.0},
    "info 0": {"losses.info": 0.0},
    "info 1": {"losses.info": 1.0},
    "info 1, 3 codes": {"losses.info": 1.0, "model.codes": 3},
    "lr 1e-3": {"train.lr_g": 1e-3, "train.lr_d": 1e-3},
    "lr G 3e-4, D 1e-4": {"train.lr_g": 3e-4, "train.lr_d": 1e-4},
    "lr G 1e-4, D 3e-4": {"train.lr_g": 1e-4, "train.lr_d": 3e-4},
    "not equalised, lr 3e-4": {"model.equalized": False, "train.lr_g": 3e-4, "train.lr_d": 3e-4},
    "spectral norm": {"model.spectral_norm": True},
    "penalty outside": {"penalty.region": "outside"},
    "penalty on the sum of scores": {"penalty.scores": "sum"},
    "no penalty": {"losses.gp": 0.0},
    "penalty 5": {"losses.gp": 5.0},
    "ellipses only": {"masks.train": {"ellipse": 1.0}},
}


def main() -> None:
    chosen = sys.argv[1:] or VARIANTS
    run_all({name: VARIANTS[name] for name in chosen}, Path("docs/results/decisions.csv"))


if __name__ == "__main__":
    main()
