"""Trials of a search as child runs: exactly one each, whatever is stopped, retried or restored."""

from __future__ import annotations

from collections.abc import Mapping

from roigan.config import Params
from roigan.errors import UserError
from roigan.tracking.outbox import Outbox
from roigan.tracking.runs import has_ended, start_run
from roigan.tracking.store import client
from roigan.tuning.objective import trial_params
from roigan.tuning.trials import ENDED, FAILED, Trial


class Trials:
    """Writes what becomes of trials into the child runs of a run."""

    def __init__(
        self, params: Params, search: str, parent: str, tags: Mapping[str, str], outbox: Outbox
    ) -> None:
        """parent: id of the run of the search, whose name is `search`; tags: for every child."""
        self.params, self.search, self.parent, self.tags, self.outbox = params, search, parent, tags, outbox
        self.runs: dict[str, str] = {}  # trial's id -> run's id
        self.logged: dict[str, int] = {}  # trial's id -> the last step in its run
        self.closed: set[str] = set()  # ids of trials whose end is told, with its time

    def see(self, trial: Trial) -> str | None:
        """Log what is new: the trial's beginning, a measurement, its end.

        Want of a store stops no search: returns a line to be said of it. A trial that begins meanwhile gets
        its run, with its last measurement, when the store is back.
        """
        over = trial.state in (ENDED, FAILED)
        try:
            if over and self._is_closed(trial):
                return None
            if trial.id not in self.runs:
                self._open(trial)
            run_id, said = self.runs[trial.id], None
            if trial.step > self.logged[trial.id]:
                self.logged[trial.id] = trial.step
                terms = {name: value for name, value in trial.terms.items() if "/" in name}
                said = self.outbox.point(run_id, trial.step, {**trial.scores, **terms})
            if over:
                self.closed.add(trial.id)
                stopped = trial.step < self.params.tune.steps
                status = "FAILED" if trial.state == FAILED else "KILLED" if stopped else "FINISHED"
                self.outbox.end(run_id, status)
        except UserError as error:
            return f"trial {trial.number}: {error}; the search goes on"
        return said

    def _is_closed(self, trial: Trial) -> bool:
        """Here, or before the search was interrupted."""
        if trial.id not in self.runs and has_ended(self.params, f"{self.search}/{trial.id}"):
            self.closed.add(trial.id)
        return trial.id in self.closed

    def _open(self, trial: Trial) -> None:
        fingerprint = f"{self.search}/{trial.id}"
        tags = {"mlflow.parentRunId": self.parent, "mlflow.runName": f"trial {trial.number}", **self.tags}
        self.runs[trial.id] = start_run(trial_params(self.params, trial.values), fingerprint, tags)
        self.logged[trial.id] = self._last_step(self.runs[trial.id])

    def _last_step(self, run_id: str) -> int:
        """A trial that goes on from a checkpoint may tell again what was logged before the interruption."""
        name = self.params.tune.objectives[0].name
        with client() as opened:
            return max((point.step for point in opened.get_metric_history(run_id, name)), default=0)
