"""The way of a search, as a picture: docs/images/latent-search.png.

    python -m benchmarks.latent_figures MODEL [FAMILY]

In a project folder in which `prepare` has run. Rows: test images, what is known of them, G(z) after so many
steps, the last one pasted and blended; and, below, where four searches from other first z end.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from roigan.config import load_params
from roigan.corruptions.sampling import sample
from roigan.errors import exit_on_user_error
from roigan.files import paths
from roigan.images.arrays import load_split, to_float, to_uint8
from roigan.images.blending import BLENDS, complete
from roigan.images.grids import save_png
from roigan.inference.latent_search import LatentSearch
from roigan.report.figures import labelled
from roigan.systems.model import Model

FIGURE = Path("docs/images/latent-search.png")
IMAGES, STEPS, STARTS = 10, (0, 10, 30, 100, 300), 4


def main() -> None:
    model, family = Model.load(sys.argv[1]), (sys.argv[2:] or ["half"])[0]
    search = load_params().search
    x = to_float(load_split(paths.PREPARED, "test")[:IMAGES])
    generator = torch.Generator().manual_seed(search.steps)
    M = sample(family, IMAGES, model.image_size, generator)
    rows = {"real": x, "known": x * (1 - M) - M}
    for start in range(STARTS):
        z = model.latent(IMAGES, generator)
        for steps in STEPS if start == 0 else STEPS[-1:]:
            found = LatentSearch(model, search.model_copy(update={"steps": steps})).find(x * (1 - M), M, z)
            rows[f"z {start + 1}, {steps} steps"] = found.images
        for blend in ("none", "poisson") if start == 0 else ("poisson",):
            name = f"z {start + 1}, {'pasted' if blend == 'none' else 'blended'}"
            rows[name] = complete(x, BLENDS[blend](x * (1 - M), found.images, M), M)
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    save_png(FIGURE, labelled({name: to_uint8(images) for name, images in rows.items()}))


if __name__ == "__main__":
    exit_on_user_error(main)
