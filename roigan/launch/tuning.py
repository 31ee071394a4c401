"""Where a search runs its trials: Ray Tune, one process per trial, continued where it was interrupted."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from roigan.config import Domain, Params, parse_params
from roigan.errors import UserError, last_line
from roigan.files import paths
from roigan.launch.cluster import device, start_ray
from roigan.launch.storage import fresh
from roigan.training import checkpoint
from roigan.training.loop import train
from roigan.training.worker import Worker
from roigan.tuning.objective import WORST, combinations, cost, scores, trial_params
from roigan.tuning.trials import ENDED, FAILED, RUNNING, WAITING, Trial

# Ray reads these when it is imported or started.
QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # CSV, JSON and TensorBoard files of every trial
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # its own calls a search that Ctrl-C has ended a finished one
    "TUNE_GLOBAL_CHECKPOINT_S": "2",  # what a killed driver forgets of the search, at most
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # its own tables
}
FIRST = "cost_0"  # of the objective that decides which trials go on
GRID = "grid"  # a combination of all grids, among the values of a trial as Ray knows them

OnTrial = Callable[[list[Trial], Trial], None]


def search(params: Params, root: Path, name: str, on_trial: OnTrial) -> list[Trial]:
    """Run all trials of `params.tune` and return them in the order of their beginnings.

    A search of the same name that was interrupted goes on: trials that had ended are not run again, the
    others go on from their last checkpoints. on_trial gets all trials and the one that began, was measured
    or ended, in this process. ROIGAN_FRESH=1 discards an interrupted search instead.
    """
    os.environ.update({key: os.environ.get(key, value) for key, value in QUIET.items()})
    device(trial_params(params, {}))
    start_ray(params.tune.cpus, params)
    from ray import tune

    if fresh():
        forget_search(name)
    storage, tried = _storage(), params.tune
    trainable = tune.with_resources(
        tune.with_parameters(_trial, params=params.model_dump(mode="json", by_alias=True), root=str(root)),
        {"cpu": tried.cpus, "gpu": tried.gpus},
    )
    if tune.Tuner.can_restore(storage / name):
        tuner = tune.Tuner.restore(str(storage / name), trainable, resume_errored=True)
    else:
        tuner = tune.Tuner(
            trainable,
            param_space=_space(params),
            tune_config=tune.TuneConfig(
                num_samples=tried.trials,
                search_alg=_searcher(params),
                scheduler=_scheduler(params),
                time_budget_s=tried.hours and tried.hours * 3600,
                trial_dirname_creator=_folder,
                reuse_actors=True,  # importing torch takes a process longer than a short trial
            ),
            run_config=tune.RunConfig(
                name=name,
                storage_path=str(storage),
                failure_config=tune.FailureConfig(max_failures=tried.retries),
                checkpoint_config=tune.CheckpointConfig(num_to_keep=3),
                callbacks=[_reporter()],
                verbose=0,
            ),
        )
    _Listener.on_trial, _Listener.last = on_trial, []
    try:
        tuner.fit()
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last measurements", flush=True)
        raise
    trials = _Listener.last
    if not any(trial.scores for trial in trials):
        failure = next((trial.failure for trial in trials if trial.failure), "none was measured in time")
        raise UserError(f"the search found nothing: {failure}")
    return trials


def interrupted_search(name: str) -> bool:
    """Whether there is a search of this name that `search` would continue."""
    return not fresh() and (_storage() / name).is_dir()


def forget_search(name: str) -> None:
    """Delete the trials of a search, once its results are stored elsewhere."""
    shutil.rmtree(_storage() / name, ignore_errors=True)


def _storage() -> Path:
    folder = paths.state() / "searches"
    folder.mkdir(exist_ok=True)
    return folder


# --- What is searched, and how ------------------------------------------------------------------------


def _space(params: Params) -> dict[str, Any]:
    """Ray's names for where values come from. Grids are one to it: it could leave no combination out."""
    from ray import tune

    space = {key: _domain(domain) for key, domain in params.tune.space.items() if not domain.grid}
    return space | ({GRID: tune.grid_search(combinations(params))} if params.tune.gridded else {})


def _values(config: dict[str, Any]) -> dict[str, Any]:
    """The values of a trial by the names of their parameters."""
    own = dict(config)
    return own.pop(GRID, {}) | own


def _domain(domain: Domain) -> Any:
    from ray import tune

    values = getattr(domain, domain.kind)
    if domain.kind == "choice":
        return tune.choice(values)
    return getattr(tune, domain.kind)(*values)


def _searcher(params: Params) -> Any:
    from ray.tune.search.basic_variant import BasicVariantGenerator
    from ray.tune.search.optuna import OptunaSearch

    tried = params.tune
    if tried.method == "random":
        return BasicVariantGenerator(random_state=tried.seed)
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    names = [f"cost_{i}" for i in range(len(tried.objectives))]
    # a list even of one would make it a study of several objectives, which learns nothing from stopped trials
    metric, mode = (names, ["min"] * len(names)) if len(names) > 1 else (FIRST, "min")
    return OptunaSearch(metric=metric, mode=mode, seed=tried.seed)


def _scheduler(params: Params) -> Any:
    from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, PopulationBasedTraining

    tried = params.tune
    common: dict[str, Any] = {"time_attr": "step", "metric": FIRST, "mode": "min"}
    if tried.scheduler == "asha":
        return ASHAScheduler(max_t=tried.steps, grace_period=tried.report_every, reduction_factor=2, **common)
    if tried.scheduler == "pbt":
        # a list: Ray takes the neighbour of a value in it; a value of `tune.choice` it would multiply
        mutations = {key: domain.choice or _domain(domain) for key, domain in tried.space.items()}
        return PopulationBasedTraining(
            perturbation_interval=tried.report_every,
            hyperparam_mutations=mutations,
            custom_explore_fn=partial(_inside, tried.space),
            **common,
        )
    return FIFOScheduler()


def _inside(space: dict[str, Domain], config: dict[str, Any]) -> dict[str, Any]:
    """A trial's values, those beyond the ends of their domains moved to the ends: Ray's pbt multiplies values
    by 0.8 or 1.2 and knows no ends."""
    for key, domain in space.items():
        if not domain.choice:
            low, high = domain.extremes
            config[key] = min(max(config[key], low), high)
    return config


def _folder(trial: Any) -> str:
    return str(trial.trial_id)


# --- A trial, in a process of its own -----------------------------------------------------------------


def _trial(config: dict[str, Any], params: dict[str, Any], root: str) -> None:
    import torch
    from ray import tune

    base = parse_params(params)
    own = trial_params(base, _values(config))
    torch.set_num_threads(max(1, int(base.tune.cpus)))
    last, reported = tune.get_checkpoint(), list[int]()

    def costs_of(found: dict[str, float]) -> dict[str, float]:
        return {
            f"cost_{i}": cost(objective, found[objective.name])
            for i, objective in enumerate(own.tune.objectives)
        }

    def report(row: dict[str, Any], folder: Path | None) -> None:
        found = scores(Path(str(folder)) / "model", row, own, Path(root))
        kept = tune.Checkpoint.from_directory(str(folder)) if folder else None
        reported.append(row["step"])
        tune.report({"step": row["step"], "scores": found, "terms": row, **costs_of(found)}, checkpoint=kept)

    if base.tune.trains_nothing:  # one report: the model that is there, as these numbers search with it
        found = scores(Path(root) / paths.MODEL, {}, own, Path(root))
        tune.report({"step": own.tune.steps, "scores": found, "terms": {}, **costs_of(found)})
        return

    with tempfile.TemporaryDirectory() as scratch, last.as_directory() if last else nullcontext() as resume:
        worker = Worker(
            name=tune.get_context().get_trial_id(),
            root=Path(root),
            report=report,
            scratch=Path(scratch) / "checkpoint",
            device=device(own),
            resume=Path(resume) if resume else None,
        )
        failure = train(own, worker)
        if failure:  # the same numbers would fail again: no exception, which Ray would try once more
            costs = {f"cost_{i}": WORST for i in range(len(own.tune.objectives))}
            tune.report({"step": own.train.steps, "scores": {}, "terms": {}, "failure": failure, **costs})
        elif worker.resume and not reported:  # it had ended, but Ray was killed before it noted that
            state = json.loads((worker.resume / checkpoint.STATE).read_text())
            report(state["history"][-1], worker.resume)


# --- What the driver is told ---------------------------------------------------------------------------


class _Listener:
    """Who is told of trials. Not in the callback itself, which Ray pickles and brings back as it was."""

    on_trial: OnTrial
    last: list[Trial]


def _reporter() -> Any:
    from ray.tune import Callback

    class Reporter(Callback):
        def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            self._tell(trials, trial)

        def on_trial_result(
            self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
        ) -> None:
            self._tell(trials, trial, result=result)

        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            self._tell(trials, trial, ended=True)

        def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            self._tell(trials, trial)

        def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
            _Listener.last = [_view(number, trial) for number, trial in enumerate(_in_order(trials), 1)]

        def _tell(self, trials: list[Any], trial: Any, **news: Any) -> None:
            trials = _in_order(trials)
            views = [
                _view(number, each, **(news if each is trial else {}))
                for number, each in enumerate(trials, 1)
            ]
            _Listener.on_trial(views, views[trials.index(trial)])

    return Reporter()


def _in_order(trials: list[Any]) -> list[Any]:
    """As they were begun; a search that goes on finds them in the order of their last results.

    Ray's tags begin with a running number, whatever follows (7_lr_g=0.1).
    """
    return sorted(trials, key=lambda trial: int(re.match(r"\d+", trial.experiment_tag)[0]))  # type: ignore[index]


def _view(number: int, trial: Any, result: dict[str, Any] | None = None, ended: bool = False) -> Trial:
    """Ray's trial in our words; result: the last one, which Ray has yet to note."""
    known = result or trial.last_result or {}
    failure = str(known.get("failure", ""))
    state = {"RUNNING": RUNNING, "PAUSED": RUNNING, "TERMINATED": ENDED, "ERROR": FAILED}.get(
        trial.status, WAITING
    )
    if trial.status == "ERROR":
        failure = last_line(trial.get_error() or "") or "lost"
    return Trial(
        number=number,
        id=trial.trial_id,
        values=_values(trial.config),
        state=FAILED if failure else ENDED if ended else state,
        step=int(known.get("step", 0)),
        scores=dict(known.get("scores", {})),
        terms=dict(known.get("terms", {})),
        seconds=float(known.get("time_total_s", 0.0)),
        failure=failure,
    )
