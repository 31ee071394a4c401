"""Stage `tune`: trials of numbers in params.yaml; a table, figures and the best of them remain."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from roigan.config import TuneParams, load_params
from roigan.errors import UserError, brief, exit_on_user_error
from roigan.launch.identity import search_name
from roigan.launch.tuning import forget_search, interrupted_search, search
from roigan.tracking import runs
from roigan.tracking.lineage import lineage
from roigan.tracking.outbox import open_outbox
from roigan.tracking.trials import Trials
from roigan.tuning.figures import fronts, importances, parallel, slices
from roigan.tuning.live_table import Board
from roigan.tuning.objective import check, count
from roigan.tuning.trials import Trial, best, pareto, preset, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TUNING = Path("tuning")


def main() -> None:
    params, root = load_params(), Path.cwd().resolve()
    check(params)
    tune, name, tags = params.tune, search_name(params, root), lineage(params)
    outbox = open_outbox()
    outbox.deliver()  # what an earlier search or training left
    if not interrupted_search(name):  # these trials are no children of an earlier search
        runs.set_aside(params, name)
    parent = runs.start_run(params, name, tags)
    record = Trials(params, name, parent, tags, outbox)
    total = count(params)
    print(f"tune: {name}, {total} trials of {tune.steps} steps", flush=True)
    try:
        with Board(tune, total) as board:

            def on_trial(trials: list[Trial], trial: Trial) -> None:
                if said := record.see(trial):
                    print(f"tune: {said}", flush=True)
                board.see(trials, trial)

            trials = search(params, root, name, on_trial)
        for trial in trials:  # also those that ended while nobody listened
            record.see(trial)
        write(trials, name, tags.get("data", ""))
    except BaseException:
        with suppress(UserError, OSError):  # not in the way of what has happened
            outbox.end(parent, "FAILED")
        raise
    try:
        outbox.end(parent)
        outbox.deliver()  # of trials that ended while the store was away
        runs.log_artifacts(parent, sorted(TUNING.iterdir()))
    except UserError as error:
        print(f"tune: {error}; the next stage delivers what is missing of the trials")
    forget_search(name)


def draw(trials: list[Trial], tune: TuneParams) -> None:
    """The folder `tuning/figures`. What has no picture (scores that are infinite, say) costs no results."""
    figures: dict[str, Callable[[], Figure | None]] = {
        "slices": lambda: slices(trials, tune),
        "parallel": lambda: parallel(trials, tune),
        "importance": lambda: importances(trials, tune),
        "pareto": lambda: fronts(trials, tune) if len(tune.objectives) > 1 else None,
    }
    for name, make in figures.items():
        try:
            if figure := make():
                figure.savefig(TUNING / f"figures/{name}.png", dpi=130)
        except Exception as error:
            print(f"tune: no figure {name} ({brief(error)})")


def write(trials: list[Trial], name: str, data: str) -> None:
    """The folder `tuning`: trials.parquet, best.yaml, pareto/TRIAL.yaml, figures."""
    tune = load_params().tune
    shutil.rmtree(TUNING, ignore_errors=True)
    for folder in ("pareto", "figures"):
        (TUNING / folder).mkdir(parents=True)
    rows = table(trials, tune.objectives)
    rows.to_parquet(TUNING / "trials.parquet", index=False)
    for trial in pareto(trials, tune.objectives):
        (TUNING / "pareto" / f"{trial.number}.yaml").write_text(preset(trial, name, data))
    first = best(trials, tune.objectives)
    assert first, "search() returns at least one trial with scores"
    (TUNING / "best.yaml").write_text(preset(first, name, data))
    draw(trials, tune)
    print(rows.drop(columns=["id", "failure"]).to_string(index=False, float_format="%.4g"))
    print(f"tune: best is trial {first.number}; `uv run roigan params tuning/best.yaml` takes its numbers")


if __name__ == "__main__":
    exit_on_user_error(main)
