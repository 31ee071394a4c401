"""A short film of an astronaut, anonymised: docs/images/anonymiser.png.

    python -m benchmarks.anonymise_figure MODEL

The photograph (NASA, in the public domain) ships with scikit-image; a camera moves over it. Rows: the film,
two seeds, and the first of them with an expression of 0.1; columns: three of nine frames.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage import data

from roigan.apps.anonymiser.anonymise import Look, find, replace
from roigan.apps.anonymiser.detect import LBP
from roigan.errors import exit_on_user_error
from roigan.images.grids import grid, save_png
from roigan.systems.model import Model

FRAMES, STEP, SHOWN = 9, 6, (0, 4, 8)
LOOKS = (Look(seed=0), Look(seed=1), Look(seed=0, expression=0.1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    model = Model.load(parser.parse_args().model)
    torch.set_num_threads(1)
    photograph, where = data.astronaut()[20:220], LBP()
    film = [Image.fromarray(photograph[:, 90 + STEP * t : 310 + STEP * t]) for t in range(FRAMES)]
    tracks = find(film, where).tracks
    rows = [film, *(list(replace(model, film, where, tracks, look)) for look in LOOKS)]
    cells = np.stack([np.asarray(row[t]) for row in rows for t in SHOWN])  # [12, H, W, 3]
    save_png(Path("docs/images/anonymiser.png"), grid(cells, len(SHOWN)))


if __name__ == "__main__":
    exit_on_user_error(main)
