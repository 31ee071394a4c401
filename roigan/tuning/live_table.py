"""What a person sees of a running search: a table that keeps itself up to date, or a line per measurement."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from roigan.config import TuneParams
from roigan.training.progress import clock
from roigan.tuning.trials import ENDED, FAILED, RUNNING, WAITING, Trial, best

SHOWN = 40  # trials in the table; the newest ones


class Board:
    """Shows the trials while the search runs: `with Board(tune, 9) as board: board.see(trials, trial)`."""

    def __init__(self, tune: TuneParams, count: int) -> None:
        """count: trials of the whole search."""
        self.tune, self.count = tune, count
        self.began, self.before = time.monotonic(), dict[str, int]()  # steps that an earlier search had made
        console = Console(file=sys.stdout)
        self.live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Board:
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def see(self, trials: Sequence[Trial], trial: Trial) -> None:
        """Show all trials anew, or what has become of the one that changed."""
        for each in trials:
            self.before.setdefault(each.id, each.step if each is not trial else 0)
        if self.live:
            self.live.update(Group(self._table(trials), Text(self._summary(trials))), refresh=True)
        elif trial.state == FAILED:
            print(f"trial {trial.number} failed: {trial.failure}", flush=True)
        elif trial.scores and trial.state == RUNNING:
            line = f"trial {trial.number}  step {trial.step}/{self.tune.steps}  {self._scores(trial)}"
            print(f"{line}  |  {self._summary(trials)}", flush=True)

    def _table(self, trials: Sequence[Trial]) -> Table:
        names = [objective.name for objective in self.tune.objectives]
        table, first = Table(box=None, pad_edge=False), best(trials, self.tune.objectives)
        for column in ("trial", "state", "step", *names, *(key.split(".")[1] for key in self.tune.space)):
            table.add_column(column, justify="left" if column == "state" else "right")
        for trial in trials[-SHOWN:]:
            style = "bold" if trial is first else "red" if trial.state == FAILED else ""
            table.add_row(
                str(trial.number),
                trial.state,
                f"{trial.step}/{self.tune.steps}",
                *(f"{trial.scores[name]:.4g}" if name in trial.scores else "" for name in names),
                *(_short(trial.values.get(key)) for key in self.tune.space),
                style=style,
            )
        return table

    def _summary(self, trials: Sequence[Trial]) -> str:
        over = sum(trial.state in (ENDED, FAILED) for trial in trials)
        parts = [f"{over} of {self.count} trials over"]
        if first := best(trials, self.tune.objectives):
            parts.append(f"best: trial {first.number}, {self._scores(first)}")
        if left := self._time_left(trials):
            parts.append(f"at most {left} left")
        return "  ".join(parts)

    def _scores(self, trial: Trial) -> str:
        return "  ".join(f"{name} {score:.4g}" for name, score in trial.scores.items())

    def _time_left(self, trials: Sequence[Trial]) -> str:
        """If no other trial is stopped early; nothing while nothing has been measured."""
        made = sum(trial.step - self.before.get(trial.id, 0) for trial in trials)
        open_ones = [trial for trial in trials if trial.state in (RUNNING, WAITING)]
        left = sum(self.tune.steps - trial.step for trial in open_ones)
        left += (self.count - len(trials)) * self.tune.steps
        if not made:
            return ""
        seconds = left * (time.monotonic() - self.began) / made
        if self.tune.hours:
            seconds = min(seconds, self.tune.hours * 3600 - (time.monotonic() - self.began))
        return clock(seconds)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
