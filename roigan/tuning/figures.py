"""Figures of a search: what mattered, which values were good, and which trials no other one beats.

The first is Optuna's. Its others show one objective at a time, as the search's cost, and do not tell systems
apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from optuna.importance import FanovaImportanceEvaluator
from optuna.visualization.matplotlib import plot_param_importances

from roigan.config import Domain, TuneParams
from roigan.tuning.objective import ONE_IS_GOOD
from roigan.tuning.trials import Trial, candidates, pareto, study

GOOD, DULL, DARK = "#b3541e", "#9db4c4", "#555555"
MARKERS = "os^Dv"  # of the values on a list of words
FEWEST = 4  # trials, below which a forest would only repeat chance


def importances(trials: Sequence[Trial], tune: TuneParams) -> Figure | None:
    """The share of each parameter in the spread of the first objective, by fANOVA (Hutter et al. 2014).

    Over the trials that were trained longest; None where there are fewer than FEWEST or all cost the same.
    """
    first = tune.objectives[0]
    with warnings.catch_warnings(), plt.rc_context():  # Optuna's figures set a style for all later ones
        warnings.simplefilter("ignore")  # they are experimental; lists are no values that Optuna could store
        known = study(trials, [first], tune.space)
        if len(known.trials) < FEWEST or len({trial.value for trial in known.trials}) < 2:
            return None
        evaluator = FanovaImportanceEvaluator(seed=tune.seed)
        panel = plot_param_importances(known, evaluator)
    figure = panel.get_figure(root=True)
    assert figure
    plt.close(figure)  # pyplot keeps what it has opened
    figure.set_size_inches(6.4, 1.0 + 0.32 * len(tune.space))
    figure.set_layout_engine("constrained")
    panel.set_title("", loc="left")
    panel.set(ylabel="", xlabel=f"share of the spread of {first.name}")
    panel.legend().remove()  # of one kind of bars
    return figure


def parallel(trials: Sequence[Trial], tune: TuneParams) -> Figure:
    """Every trial as a line through its values and scores: the Pareto set in colour, stopped ones faint.

    Optuna's figure of this kind writes the numbers of an axis over its neighbours, and shows costs.
    """
    keys, names = list(tune.space), [objective.name for objective in tune.objectives]
    shown = [trial for trial in trials if trial.scores]
    front = {trial.number for trial in pareto(shown, tune.objectives)}
    long = {trial.number for trial in candidates(shown)}
    figure = Figure(figsize=(1.5 + 1.15 * (len(keys) + len(names)), 4.0), layout="constrained")
    panel = figure.subplots()
    columns = [_axis([trial.values[key] for trial in shown], tune.space[key]) for key in keys]
    columns += [_axis([trial.scores[name] for trial in shown], None) for name in names]
    for i, trial in enumerate(shown):
        best = trial.number in front
        panel.plot(
            [at[i] for at, _, _ in columns], color=GOOD if best else DULL, linewidth=2.2 if best else 1.1,
            alpha=1.0 if trial.number in long else 0.4, zorder=2 + best,
        )  # fmt: skip
    for x, (_, low, high) in enumerate(columns):
        panel.vlines(x, 0, 1, color=DARK, linewidth=0.8)
        panel.annotate(high, (x, 1), xytext=(0, 5), textcoords="offset points", ha="center", fontsize=9)
        panel.annotate(
            low, (x, 0), xytext=(0, -5), textcoords="offset points", ha="center", va="top", fontsize=9
        )
    panel.set_xticks(range(len(columns)), [*(key.replace(".", ".\n") for key in keys), *names], fontsize=9)
    panel.tick_params(axis="x", pad=18, length=0)
    panel.set_yticks([])
    panel.spines[:].set_visible(False)
    return figure


def _axis(values: Sequence[object], domain: Domain | None) -> tuple[np.ndarray, str, str]:
    """Positions from 0 to 1, and what stands at both ends."""
    kinds = domain.extremes if domain and (domain.choice or domain.grid) else None
    if kinds:
        at = np.array([kinds.index(value) for value in values]) / max(1, len(kinds) - 1)
        return at, str(kinds[0]), str(kinds[-1])
    numbers = np.array(values, dtype=float)
    low, high = domain.extremes if domain else (numbers.min(), numbers.max())
    if domain and domain.loguniform:
        at = np.log(numbers / low) / np.log(high / low)
    else:
        at = (numbers - low) / ((high - low) or 1)
    return at, f"{low:.3g}", f"{high:.3g}"


def slices(trials: Sequence[Trial], tune: TuneParams) -> Figure:
    """Every objective over every parameter, one dot per trial that was trained longest; over a grid with
    the median. A grid of words, such as systems, gives the trials their markers instead.

    Optuna's figure of this kind has one objective, on a linear axis, and no Pareto set.
    """
    names, long = [objective.name for objective in tune.objectives], candidates(trials)
    kinds = _kinds(long, tune)
    keys = [key for key in tune.space if key != _divider(tune)] or list(tune.space)
    front = {trial.number for trial in pareto(long, tune.objectives)}
    figure = Figure(figsize=(0.8 + 2.0 * len(keys), 0.6 + 1.9 * len(names)), layout="constrained")
    panels = figure.subplots(len(names), len(keys), squeeze=False, sharex="col", sharey="row")
    for row, name in enumerate(names):
        if _decades([trial.scores[name] for trial in long]):
            panels[row][0].set_yscale("log")  # the whole row shares it
        for column, key in enumerate(keys):
            panel, domain = panels[row][column], tune.space[key]
            for marker, (kind, mine) in zip(cycle(MARKERS), kinds.items(), strict=False):
                x = np.array([trial.values[key] for trial in mine])
                y = np.array([trial.scores[name] for trial in mine])
                _dots(panel, x, y, [trial.number in front for trial in mine], marker, kind)
                tried = [] if _words(domain) else [value for value in domain.grid or [] if (x == value).any()]
                panel.plot(tried, [np.median(y[x == value]) for value in tried], color=DARK, zorder=1)
            _scale(panel, domain)
            panel.set_xlabel(key if row == len(names) - 1 else "", fontsize=9)
            panel.set_ylabel(name if column == 0 else "", fontsize=9)
            _plain(panel)
    if len(kinds) > 1:
        handles, labels = panels[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=len(kinds), frameon=False, fontsize=8)
    return figure


def _dots(panel: Axes, x: np.ndarray, y: np.ndarray, good: Sequence[bool], marker: str, kind: str) -> None:
    """A dot per trial, [N] each; those of the Pareto set in colour, over the others."""
    panel.scatter(x, y, color=DULL, marker=marker, s=22, zorder=2, label=kind)
    panel.scatter(x[np.array(good)], y[np.array(good)], color=GOOD, marker=marker, s=22, zorder=3)


def _words(domain: Domain) -> bool:
    return any(isinstance(value, str) for value in domain.grid or [])


def _divider(tune: TuneParams) -> str | None:
    return next((key for key, domain in tune.space.items() if _words(domain)), None)


def _kinds(trials: Sequence[Trial], tune: TuneParams) -> dict[str, list[Trial]]:
    """The trials by the values of the first grid of words; all of them by "" where there is none."""
    key = _divider(tune)
    if not key:
        return {"": list(trials)}
    return {kind: [t for t in trials if t.values[key] == kind] for kind in tune.space[key].extremes}


def _scale(panel: Axes, domain: Domain) -> None:
    """A logarithmic axis where values span more than a power of ten; a zero among them stands to its left."""
    numbers = [] if _words(domain) else [value for value in domain.extremes if isinstance(value, int | float)]
    above = [number for number in numbers if number > 0]
    listed = domain.grid or domain.choice
    if not domain.loguniform and not (listed and _decades(above)):
        return
    low, high = min(above), 1.4 * max(above)
    if 0 in numbers:
        panel.set_xscale("symlog", linthresh=low, linscale=0.5)
        panel.set_xlim(-0.3 * low, high)
    else:
        panel.set_xscale("log")
        panel.set_xlim(0.7 * low, high)
    panel.xaxis.set_minor_formatter(NullFormatter())


def _decades(values: Sequence[float]) -> bool:
    """Whether positive values span a power of ten or more."""
    return len(values) > 1 and min(values) > 0 and max(values) >= 10 * min(values)


def fronts(trials: Sequence[Trial], tune: TuneParams) -> Figure:
    """The first two objectives against each other; the Pareto set is numbered, and joined by a line where
    there are only two.

    Optuna's figure of this kind does not say which trials these are, and has linear axes.
    """
    objectives = tune.objectives
    x, y = (objective.name for objective in objectives[:2])
    figure = Figure(figsize=(5.6, 4.4), layout="constrained")
    panel = figure.subplots()
    long = candidates(trials)
    front = sorted(pareto(trials, objectives), key=lambda trial: trial.scores[x])
    for marker, (kind, mine) in zip(cycle(MARKERS), _kinds(long, tune).items(), strict=False):
        over, up = (np.array([trial.scores[name] for trial in mine]) for name in (x, y))
        _dots(panel, over, up, [trial in front for trial in mine], marker, kind or "trial")
    line = front if len(objectives) == 2 else []  # of a third one no line in this plane is a border
    panel.plot([t.scores[x] for t in line], [t.scores[y] for t in line], color=GOOD)
    panel.plot([], [], "o", color=GOOD, markersize=5, label="Pareto set")
    for trial in front:
        at = (trial.scores[x], trial.scores[y])
        panel.annotate(str(trial.number), at, xytext=(6, 5), textcoords="offset points", fontsize=9)
    if objectives[1].metric in ONE_IS_GOOD:
        panel.axhline(1, color="#777777", linestyle="--", linewidth=1)
        panel.annotate(
            "real images", (1, 1), xycoords=("axes fraction", "data"), xytext=(0, 3),
            textcoords="offset points", ha="right", fontsize=9, color=DARK,
        )  # fmt: skip
    for name, label, scale in (
        (x, panel.set_xlabel, panel.set_xscale),
        (y, panel.set_ylabel, panel.set_yscale),
    ):
        label(name)
        if _decades([trial.scores[name] for trial in long]):
            scale("log")
    panel.legend(frameon=False, fontsize=9)
    _plain(panel)
    return figure


def _plain(panel: Axes) -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=9)
