"""The verb `score`: test images and sets of foreign ones -> a table, every method on every set.

The positive class is the foreign one everywhere, and its share, the base rate, is what a random score gets
as AP. Intervals are those of a bootstrap in which normal images and foreign ones are drawn anew, the same
ones for all methods: so `lead`, how far the model's AP is ahead of a method's, has an interval of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from roigan.config import EvaluateParams, HistoryADParams, Params
from roigan.errors import UserError
from roigan.evaluation.bootstrap import Ranked
from roigan.evaluation.detectors import (
    Detector,
    anogan,
    critics,
    nearest,
    scored,
    without_training,
)
from roigan.evaluation.exam import Evaluation, Exam, chosen
from roigan.evaluation.foreign import made, packed
from roigan.evaluation.metrics.ranking import ap_and_auroc, draws, ranking
from roigan.evaluation.metrics.records import RANKING
from roigan.features.network import load_features
from roigan.files import paths
from roigan.systems.model import Model
from roigan.systems.states import load_states, mean_state, weights

INTERVALS = ("ap", "auroc")  # metrics with an interval
COLUMNS = [
    "method", "mask", "n", "base_rate", *RANKING, "ap_low", "ap_high", "auroc_low", "auroc_high", "lead",
    "lead_low", "lead_high",
]  # fmt: skip
"""`mask` names the set, as it names the family of masks in the other tables."""


def own(params: Params, model: Model) -> Detector:
    """The model's method."""
    return scored(model)


def methods(params: Params, model: Model, train: np.ndarray) -> dict[str, Detector]:
    """The competitors by name; train: uint8 [N, S, S, C]."""
    embed = load_features(paths.JUDGE).to(model.device).embed_images
    remembered = {"nearest feature": nearest(train, embed, model.device)}
    rest = without_training(train, params.evaluate.seed) | of_the_past(params, model)
    return {model.system: scored(model)} | remembered | rest


def of_the_past(params: Params, model: Model) -> dict[str, Detector]:
    """The rivals that the prior offers. Raises UserError where it is not the one that the model stands on."""
    prior = Model.load(paths.PRIOR).to(model.device)
    if prior.sha256 != model.config["prior"]:
        raise UserError(f"{paths.PRIOR} is not the prior that this model was trained on; run dvc repro")
    assert isinstance(params, HistoryADParams), "the one system whose first verb is `score`"
    past, kept = params.model.past, load_states(paths.PRIOR / "states", prior.config["states"])
    q = weights(len(kept), past.start, past.decay)
    rivals = {"critics": critics(prior, kept, q, mean_state(kept, "D", q))}
    if params.evaluate.searched:
        rivals["anogan"] = anogan(prior, params.search, params.evaluate.searched, params.evaluate.seed)
    return rivals


def table(detectors: Mapping[str, Detector], exam: Exam) -> Evaluation:
    """`measure` on the sets that the stage `prepare` has written, and on those made of the test images."""
    params = exam.params.evaluate
    sets = packed(paths.PREPARED) | made(exam.test, params.seed)
    return measure(detectors, exam.test, sets, params, exam.model.system)


def measure(
    detectors: Mapping[str, Detector],
    test: np.ndarray,
    sets: Mapping[str, np.ndarray],
    params: EvaluateParams,
    model: str,
) -> Evaluation:
    """Every method on every set.

    test: normal images, sets: foreign ones by name, uint8 [N, S, S, C] each; model: the method that others
    are compared with. The same seed gives the same table.
    """
    normal = scores(detectors, chosen(test, params))
    rows, ranked = list[dict[str, Any]](), dict[tuple[str, str], Ranked]()
    for name, images in sets.items():
        foreign = scores(detectors, images)
        drawn = {name: _hindsight(Ranked(normal[name], foreign[name])) for name in foreign}
        ranked |= {(method, name): pair for method, pair in drawn.items()}
        rows += [row | {"mask": name} for row in rank(drawn, params, model)]
    return Evaluation(pd.DataFrame(rows)[COLUMNS], ranked)


def scores(detectors: Mapping[str, Detector], images: np.ndarray) -> dict[str, Tensor]:
    """What every method says of images: [N] each, or [N, T] of the ceiling."""
    found: dict[str, Tensor] = {}
    for name, detector in detectors.items():
        said = detector.score(images[: detector.limit])
        found |= said if isinstance(said, dict) else {name: said}
    return found


def _hindsight(pair: Ranked) -> Ranked:
    """Of T methods the one with the highest AP."""
    if pair.normal.dim() == 1:
        return pair
    ap = [ranking(pair.normal[:, t], pair.foreign[:, t])["ap"].item() for t in range(pair.normal.shape[1])]
    best = int(np.argmax(ap))
    return Ranked(pair.normal[:, best], pair.foreign[:, best])


def rank(pairs: Mapping[str, Ranked], params: EvaluateParams, model: str) -> list[dict[str, Any]]:
    """The rows of one set; a method that was measured on fewer images than the model has no `lead`."""
    rows = []
    sizes = {name: (len(pair.normal), len(pair.foreign)) for name, pair in pairs.items()}
    drawn = {
        size: draws(*size, params.bootstrap, torch.Generator().manual_seed(params.seed))
        for size in set(sizes.values())
    }
    again = {name: ap_and_auroc(*pair, drawn[sizes[name]]) for name, pair in pairs.items()}
    for name, pair in pairs.items():
        once = {metric: value.item() for metric, value in ranking(*pair).items()}
        n = sum(sizes[name])
        row: dict[str, Any] = {"method": name, "n": n, "base_rate": sizes[name][1] / n, **once}
        for metric in INTERVALS:
            row |= _interval(metric, again[name][metric], params.confidence)
        if name != model and sizes[name] == sizes[model]:
            row["lead"] = ranking(*pairs[model])["ap"].item() - once["ap"]
            row |= _interval("lead", again[model]["ap"] - again[name]["ap"], params.confidence)
        rows.append(dict.fromkeys(COLUMNS, float("nan")) | row)
    return rows


def _interval(name: str, values: Tensor, confidence: float) -> dict[str, float]:
    ends = torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2], dtype=values.dtype)
    low, high = values.quantile(ends).tolist()
    return {f"{name}_low": low, f"{name}_high": high}
