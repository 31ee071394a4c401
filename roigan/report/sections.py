"""The pictures of the report, section by section, for every verb. Choosing is a dict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from roigan.config import Params
from roigan.evaluation.completion import methods, wholes
from roigan.evaluation.detectors import Detector, scored
from roigan.evaluation.foreign import made, packed
from roigan.evaluation.generation import methods as samplers
from roigan.evaluation.projection import methods as projectors
from roigan.evaluation.verbs import asked
from roigan.files import paths
from roigan.images.arrays import to_float, to_uint8
from roigan.images.grids import grid
from roigan.report import figures, scores
from roigan.report.page import METHODS
from roigan.systems.model import Model

FAMILIES = 3  # of figure 4.3
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


def completions(
    params: Params, model: Model, families: Sequence[str], train: np.ndarray, test: np.ndarray
) -> Pictures:
    """Figures 4.3 to 4.5 of the thesis; train, test: uint8 [N, S, S, C]."""
    seed, rivals = params.evaluate.seed, methods(params, model, train)
    named = {METHODS[name][0]: complete for name, complete in rivals.items()}
    free = {METHODS[name][0]: generate for name, generate in wholes(params, model).items()}
    marks = (
        "Green: a known pixel that the generator's own image meets; red: one that it misses." if free else ""
    )
    beside = []
    for family in families[:FAMILIES]:
        x, M = figures.pick(test, paths.MASKS / f"{family}.npz", COLUMNS)
        picture = figures.comparison(named, x, M, seed, free, model.coordinates)
        beside.append(Drawn(f"figure_4_3_{family}", picture, family, marks))
    x, M = figures.pick(test, paths.MASKS / f"{families[0]}.npz", MORE)
    more = figures.more(rivals[model.system], x, M, seed, model.coordinates)
    sliders, codes = [], []
    caption = f"Of {len(x)} test images, one of those with most detail where it is hidden."
    for i, at in enumerate(_most_detailed(x, M)[:SWEPT] if model.sliders else []):
        swept = x[[at]], M[[at]], seed
        sliders.append(Drawn(f"figure_4_5_{i + 1}", figures.sliders(model, *swept), caption=caption))
        codes.append(Drawn(f"codes_{i + 1}", figures.codes(model, *swept), caption=caption))
    return {
        "completions": beside,
        "more": [Drawn("figure_4_4", more, caption=f"Mask family: {families[0]}.")],
        "sliders": sliders,
        "codes": codes,
    }


def _most_detailed(x: Tensor, M: Tensor) -> list[int]:
    """Images by the variation of what is hidden: where there is nothing to paint, controls move nothing."""
    mean = (x * M).sum((2, 3)) / M.sum((2, 3))  # [B, C]
    variance = ((x - mean[..., None, None]).square() * M).sum((2, 3)) / M.sum((2, 3))
    order: list[int] = variance.sum(1).argsort(descending=True).tolist()
    return order


def samples(
    params: Params, model: Model, families: Sequence[str], train: np.ndarray, test: np.ndarray
) -> Pictures:
    """A sheet of samples for every method, none chosen; train, test: uint8 [N, S, S, C]."""
    drawn = []
    for name, sample in samplers(params, model, train).items():
        images = to_uint8(sample(SAMPLES, torch.Generator().manual_seed(params.evaluate.seed)))
        title, caption = METHODS[name]
        drawn.append(Drawn(f"samples_{name}", figures.sheet(images), title, caption))
    return {"generated": drawn}


def detections(
    params: Params, model: Model, families: Sequence[str], train: np.ndarray, test: np.ndarray
) -> Pictures:
    """Where scores lie, over noise and between samples, and the extremes of every packed set; train, test:
    uint8 [N, S, S, C]."""
    test, seed = np.asarray(test), params.evaluate.seed
    mine, foreign = scored(model), packed(paths.PREPARED)
    sets = foreign | made(test, seed)
    normal, found = _scores(mine, test), {name: _scores(mine, images) for name, images in sets.items()}
    lie = scores.histograms(normal, found, model.threshold)
    noise = scores.rasterised(scores.over_noise(normal, found))
    drawn = [
        Drawn("scores", scores.rasterised(lie), "Scores", "Blue: test images. Broken line: 95 % pass."),
        Drawn("scores_noise", noise, "Noise", "Dots: medians; the band holds half of the images."),
    ]
    prior = Model.load(paths.PRIOR)
    way = scores.rasterised(scores.between(mine, prior, seed))
    drawn.append(Drawn("scores_between", way, "Between samples", f"Means over {scores.PAIRS} pairs."))
    for name, images in {"test": test, **foreign}.items():
        ends = scores.extremes(np.asarray(images), {"test": normal, **found}[name], COLUMNS)
        rows = dict(zip(("most normal", "most anomalous"), ends, strict=True))
        drawn.append(Drawn(f"scores_{name}", figures.labelled(rows), name))
    return {"scored": drawn}


def _scores(detector: Detector, images: np.ndarray) -> Tensor:
    said = detector.score(images)
    assert isinstance(said, Tensor), "one method"
    return said


def projections(
    params: Params, model: Model, families: Sequence[str], train: np.ndarray, test: np.ndarray
) -> Pictures:
    """Test images, and below them where every method puts them; train, test: uint8 [N, S, S, C]."""
    x = to_float(test[:COLUMNS])
    rows, names = [x], ["images"]
    for name, project in projectors(params, model, train).items():
        generator = torch.Generator().manual_seed(params.evaluate.seed)
        rows.append(project(x, torch.ones_like(x[:, :1]), generator))
        names.append(METHODS[name][0])
    picture = grid(to_uint8(torch.cat(rows)), COLUMNS)
    return {"generated": [Drawn("projections", picture, "Projections", f"Rows: {', '.join(names)}.")]}


DRAW = {"complete": completions, "generate": samples, "score": detections, "project": projections}


def draw(params: Params, model: Model, train: np.ndarray, test: np.ndarray) -> Pictures:
    """The pictures of all that is asked of a model; train, test: uint8 [N, S, S, C]."""
    parts = asked(model, params.masks.evaluate)
    drawn = [DRAW[verb](params, model, families, train, test) for verb, families in parts.items()]
    return {section: pictures for part in drawn for section, pictures in part.items()}
