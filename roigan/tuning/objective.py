"""A trial of a search over numbers in params.yaml: what it trains with, how it is measured, what it costs.

Trials are trained on the training images and measured on the validation images; the test images stay for the
model that comes of it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from roigan.config import Objective, Params, changed
from roigan.config.tuning import BLOCKS, FIXED
from roigan.corruptions.cache import load_cache
from roigan.errors import UserError
from roigan.evaluation import completion, detection, foreign
from roigan.evaluation.exam import Exam
from roigan.evaluation.methods import whole
from roigan.evaluation.metrics.records import METRICS, worst
from roigan.evaluation.verbs import VERBS, measure
from roigan.features.network import load_features
from roigan.files import paths
from roigan.images.arrays import load_split
from roigan.systems.by_name import SYSTEMS
from roigan.systems.model import Model

WORST = 1e6
"""What a trial costs that failed: finite, so that the search learns to keep away from it."""
ONE_IS_GOOD = tuple(name for name, metric in METRICS.items() if metric.better == "one")


def check(params: Params) -> None:
    """Raise a UserError where the search cannot be run as params.yaml describes it."""
    tune = params.tune
    if not tune.space or not tune.objectives:
        raise UserError("tune.space and tune.objectives in params.yaml need at least one entry each")
    for key, domain in tune.space.items():
        if key in FIXED or key.split(".")[0] not in BLOCKS:
            raise UserError(f"tune.space: {key} cannot be searched; keys of {', '.join(BLOCKS)} can")
        for value in [] if domain.grid else domain.extremes:
            try:
                changed(params, {key: value})
            except UserError as error:
                raise UserError(f"tune.space: {_complaint(error)}") from None
    combinations(params)
    for objective in tune.objectives:
        if objective.mask and objective.mask not in params.masks.evaluate:
            raise UserError(f"tune.objectives: mask {objective.mask} is not in masks.evaluate")
        if objective.set and SYSTEMS[params.model.system].verbs[0] != "score":
            raise UserError(f"tune.objectives: set is for systems that score, not {params.model.system}")
        if objective.set and objective.set not in foreign.MAKERS:
            raise UserError(
                f"tune.objectives: set {objective.set} is not made of validation images; those are "
                f"{', '.join(foreign.MAKERS)}"
            )
    metrics = {objective.metric for objective in tune.objectives}
    if "control" in metrics and params.model.system != "roigan":
        raise UserError(f"tune.objectives: {params.model.system} has no controls to read")
    if metrics & {"mse_known", "satisfied"} and not params.evaluate.whole:
        raise UserError("tune.objectives: mse_known and satisfied are measured where evaluate.whole is true")
    if tune.trains_nothing:
        if "control" in metrics:
            raise UserError("tune.objectives: control is read in training, and these trials train nothing")
        if not (paths.MODEL / "config.json").is_file():
            raise UserError(f"tune.space: the block search is tried on {paths.MODEL}; run dvc repro train")
    if tune.report_every > tune.steps:
        raise UserError(f"tune.report_every {tune.report_every} is more than tune.steps {tune.steps}")


def combinations(params: Params) -> list[dict[str, Any]]:
    """The values of all grids, combined: those that params.yaml would refuse are left out (a GAN has no lam).

    A single empty one where there is no grid. Raises a UserError where some value is in none.
    """
    grids = {key: domain.grid for key, domain in params.tune.space.items() if domain.grid}
    found, refused = list[dict[str, Any]](), list[tuple[dict[str, Any], UserError]]()
    for values in itertools.product(*grids.values()):
        combined = dict(zip(grids, values, strict=True))
        try:
            changed(params, combined)
            found.append(combined)
        except UserError as error:
            refused.append((combined, error))
    for combined, why in refused:
        for key, value in combined.items():
            if not any(other[key] == value for other in found):
                raise UserError(f"tune.space: {key} {value} is in no sound combination: {_complaint(why)}")
    return found


def count(params: Params) -> int:
    """How many trials there will be, with all combinations of grids."""
    return params.tune.trials * len(combinations(params))


def _complaint(error: UserError) -> str:
    return str(error).removeprefix("params.yaml: ")


def trial_params(params: Params, values: Mapping[str, Any]) -> Params:
    """What a trial trains with: in one process, for `tune.steps` steps."""
    tune = params.tune
    setting = {
        "train.steps": tune.steps, "train.report_every": tune.report_every, "train.num_workers": 0,
        "train.use_gpu": tune.gpus > 0, "train.sample_every": tune.steps,
        "train.history": {"states": 0},
    }  # fmt: skip
    return changed(params, {**values, **setting})


def scores(folder: Path, terms: Mapping[str, float], own: Params, root: Path) -> dict[str, float]:
    """Every objective of a trial by its name.

    folder: its model; terms: the losses of its last epoch; own: its parameters.
    """
    objectives, table = own.tune.objectives, pd.DataFrame()
    sets = {objective.set for objective in objectives if objective.set}
    masks: dict[str, Tensor] = {
        objective.mask: load_cache(root / paths.MASKS / f"{objective.mask}.npz")
        for objective in objectives
        if objective.mask
    }
    if masks or sets:
        device = "cuda" if own.train.use_gpu else "cpu"
        model = Model.load(folder).to(device)
        few = own.evaluate.model_copy(update={"limit": own.tune.images})
        val = load_split(root / paths.PREPARED, "val")
    if sets:
        made = foreign.made(val[: own.tune.images], own.evaluate.seed)
        spoilt = {name: made[name] for name in sorted(sets)}
        table = detection.measure({"trial": detection.own(own, model)}, val, spoilt, few, "trial").table
    elif masks:
        features = load_features(root / paths.JUDGE).to(device)
        if own.evaluate.whole:  # G's own image is what counts
            table = completion.measure({}, val, masks, features, few, {"trial": whole(model)}).table
        else:
            params = own.model_copy(update={"evaluate": few})
            table = measure(
                lambda verb: {"trial": VERBS[verb].own(params, model)},
                Exam(val, masks, features, params, model),
            ).table
    if len(table):
        table = table[table["method"] == "trial"].set_index("mask")

    def measured(objective: Objective) -> float:
        under = objective.under
        return float(table[objective.metric][under]) if under else unread(terms, own)

    return {objective.name: measured(objective) for objective in objectives}


def unread(terms: Mapping[str, float], params: Params) -> float:
    """What Q lacks to know sliders and codes, in nats; infinite where nobody asks Q."""
    weight = getattr(params.losses, "info", 0.0)
    return (terms["G/info_c"] + terms["G/info_k"]) / weight if weight else math.inf


def cost(objective: Objective, score: float) -> float:
    """The score as something to be made small; WORST for what is not a number."""
    metric = METRICS.get(objective.metric)  # None: `control`, of which less is better
    return worst(metric.cost(score) if metric else score, WORST)
