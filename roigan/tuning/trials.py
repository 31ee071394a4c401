"""The trials of a search: which are best, the table of all, and the values of one as a file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
import pandas as pd
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from roigan.config import Domain, Objective
from roigan.config.reading import write_yaml
from roigan.tuning.objective import WORST, cost

WAITING, RUNNING, ENDED, FAILED = "waiting", "running", "ended", "failed"


@dataclass
class Trial:
    """What is known of a trial at some moment of the search."""

    number: int  # from 1, in the order in which they were begun
    id: str  # its name for ever
    values: dict[str, Any]  # by the dotted names of the parameters
    state: str = WAITING
    step: int = 0
    scores: dict[str, float] = field(default_factory=dict)  # the last ones
    terms: dict[str, float] = field(default_factory=dict)  # the losses of its last epoch
    seconds: float = 0.0
    failure: str = ""


def costs(trial: Trial, objectives: Sequence[Objective]) -> list[float]:
    """What is to be made small, in the order of the objectives; WORST for a trial without scores."""
    if trial.state == FAILED:
        return [WORST] * len(objectives)
    return [cost(objective, trial.scores.get(objective.name, math.nan)) for objective in objectives]


def candidates(trials: Sequence[Trial]) -> list[Trial]:
    """Those that may be best: they were trained as long as any."""
    sound = [trial for trial in trials if trial.scores and trial.state != FAILED]
    longest = max((trial.step for trial in sound), default=0)
    return [trial for trial in sound if trial.step == longest]


def best(trials: Sequence[Trial], objectives: Sequence[Objective]) -> Trial | None:
    """The best by the first objective; None where no trial has scores."""
    return min(candidates(trials), key=lambda trial: costs(trial, objectives), default=None)


def study(
    trials: Sequence[Trial], objectives: Sequence[Objective], space: Mapping[str, Domain] | None = None
) -> optuna.Study:
    """The candidates, in their order, as a study of Optuna's that minimises `costs`.

    space: the parameters that the study knows, by their dotted names; none by default.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would announce every study
    made = optuna.create_study(directions=["minimize"] * len(objectives))
    known = {key: _distribution(domain) for key, domain in (space or {}).items()}
    made.add_trials(
        optuna.trial.create_trial(
            values=costs(trial, objectives),
            params={key: trial.values[key] for key in known},
            distributions=known,
        )
        for trial in candidates(trials)
    )
    return made


def _distribution(domain: Domain) -> BaseDistribution:
    if domain.uniform or domain.loguniform:
        low, high = domain.extremes
        return FloatDistribution(low, high, log=domain.loguniform is not None)
    if domain.randint:
        return IntDistribution(*domain.extremes)
    return CategoricalDistribution(domain.extremes)


def pareto(trials: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """The candidates that no other one beats in one objective without losing in another, best first."""
    rivals = candidates(trials)
    found = sorted(study(trials, objectives).best_trials, key=lambda known: known.values)
    return [rivals[known.number] for known in found]


def table(trials: Sequence[Trial], objectives: Sequence[Objective]) -> pd.DataFrame:
    """One row per trial: number, id, state, step, seconds, failure, pareto, objectives, values."""
    front = {trial.number for trial in pareto(trials, objectives)}
    return pd.DataFrame(
        [
            {
                "trial": trial.number, "id": trial.id, "state": trial.state, "step": trial.step,
                "seconds": trial.seconds, "failure": trial.failure, "pareto": trial.number in front,
                **{objective.name: trial.scores.get(objective.name, math.nan) for objective in objectives},
                **trial.values,
            }
            for trial in trials
        ]
    )  # fmt: skip


def preset(trial: Trial, search: str, data: str) -> str:
    """A trial's values as a file for `roigan params`, which says where they come from."""
    content: dict[str, Any] = {}
    for key, value in trial.values.items():
        *blocks, name = key.split(".")
        block = content
        for inner in blocks:
            block = block.setdefault(inner, {})
        block[name] = value
    content["tune"] = {"applied": f"{search}/{trial.number}"}
    reached = ", ".join(f"{name} {score:.4g}" for name, score in trial.scores.items())
    head = f"# Trial {trial.number} of {search}: {reached}"
    head += f"\n# after {trial.step} steps, on validation images of data {data}."
    return f"{head}\n{write_yaml(content)}"
