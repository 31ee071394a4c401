"""The pictures of the report, section by section, for every verb. Choosing is a dict."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from roigan.config import Params
from roigan.evaluation.completion import methods, wholes
from roigan.evaluation.generation import methods as samplers
from roigan.files import paths
from roigan.images.arrays import to_uint8
from roigan.report import figures
from roigan.report.page import METHODS
from roigan.systems.model import Model

THESIS = ("ellipse", "rectangle", "mixture")  # mask families of its figure 4.3
COLUMNS, MORE, SWEPT = 8, 16, 2  # images in figures 4.3, 4.4 and 4.5
SAMPLES = 64  # of a model that generates


class Drawn(NamedTuple):
    """A picture of the report."""

    file: str
    pixels: np.ndarray
    """uint8 [H, W, 3]."""
    title: str = ""
    caption: str = ""


Pictures = dict[str, list[Drawn]]
"""By the sections of the page."""


def completions(params: Params, model: Model, train: np.ndarray, test: np.ndarray) -> Pictures:
    """Figures 4.3 to 4.5 of the thesis; train, test: uint8 [N, S, S, C]."""
    seed, rivals = params.evaluate.seed, methods(params, model, train)
    named = {METHODS[name][0]: complete for name, complete in rivals.items()}
    free = {METHODS[name][0]: generate for name, generate in wholes(params, model).items()}
    families = [family for family in THESIS if family in params.masks.evaluate] or params.masks.evaluate[:3]
    marks = (
        "Green: a known pixel that the generator's own image meets; red: one that it misses." if free else ""
    )
    beside = []
    for family in families:
        x, M = figures.pick(test, paths.MASKS / f"{family}.npz", COLUMNS)
        picture = figures.comparison(named, x, M, seed, free, model.coordinates)
        beside.append(Drawn(f"figure_4_3_{family}", picture, family, marks))
    x, M = figures.pick(test, paths.MASKS / f"{families[0]}.npz", MORE)
    more = figures.more(rivals[model.system], x, M, seed, model.coordinates)
    sliders, codes = [], []
    for i in range(SWEPT if model.sliders else 0):
        at = [(i + 1) * len(x) // (SWEPT + 1)]
        caption = f"Test image {i + 1}."
        sliders.append(
            Drawn(f"figure_4_5_{i + 1}", figures.sliders(model, x[at], M[at], seed), caption=caption)
        )
        codes.append(Drawn(f"codes_{i + 1}", figures.codes(model, x[at], M[at], seed), caption=caption))
    return {
        "completions": beside,
        "more": [Drawn("figure_4_4", more, caption=f"Mask family: {families[0]}.")],
        "sliders": sliders,
        "codes": codes,
    }


def samples(params: Params, model: Model, train: np.ndarray, test: np.ndarray) -> Pictures:
    """A sheet of samples for every method, none chosen; train, test: uint8 [N, S, S, C]."""
    drawn = []
    for name, sample in samplers(params, model, train).items():
        images = to_uint8(sample(SAMPLES, torch.Generator().manual_seed(params.evaluate.seed)))
        title, caption = METHODS[name]
        drawn.append(Drawn(f"samples_{name}", figures.sheet(images), title, caption))
    return {"generated": drawn}


DRAW = {"complete": completions, "generate": samples}
