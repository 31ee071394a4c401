"""The outbox: what a training has to tell the store waits on disk until the store has taken it.

A record is a file, RUN/STEP.json or RUN/end.json, deleted once it is delivered. One that is sent twice, after
a crash between the two or by two processes at once, does no harm: MLflow knows a point by its run, name,
step, value and time, and the time is the record's own.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException

from roigan.errors import UserError, brief
from roigan.files import paths
from roigan.tracking.runs import log_points
from roigan.tracking.store import client, store_uri

SHARE = 0.05  # of a training's time that may go into trying to reach a store that is away


@dataclass
class Outbox:
    """The outbox and its store, for one process of a training; may be pickled for another process."""

    folder: Path
    uri: str
    away: bool = False
    rest: float = 0.0  # no attempt before this time (of time.monotonic)

    def point(self, run_id: str, step: int, metrics: Mapping[str, float]) -> str | None:
        """Add a point to each metric ("G/adv": 0.7), now or once the store is back.

        Want of a store or of room raises nothing and takes no more than a twentieth of the time. Returns a
        line to be said when the store is lost and when it is back, and for a point that is lost.
        """
        try:
            self._keep(run_id, f"{step:09d}", {"step": step, "metrics": dict(metrics)})
        except OSError as error:
            return f"the metrics of step {step} are lost to MLflow ({brief(error)}); history.csv has them"
        began, was_away = time.monotonic(), self.away
        if began < self.rest:
            return None
        try:
            with client(self.uri) as opened:
                self._send(opened, run_id)
        except UserError as error:
            self.away, now = True, time.monotonic()
            self.rest = now + (now - began) / SHARE
            return None if was_away else f"{error}; going on, metrics wait in {self.folder}"
        self.away = False
        return "MLflow is back and has all metrics" if was_away else None

    def end(self, run_id: str, status: str = "FINISHED") -> None:
        """Close a run (FINISHED, FAILED) and send what waits of it; a UserError says why that has to wait."""
        self._keep(run_id, "end", {"status": status})
        with client(self.uri) as opened:
            self._send(opened, run_id)

    def deliver(self) -> None:
        """Send what waits of all runs; what the store does not take, of a deleted run say, stays and is said.

        Raises UserError where something waits and the store does not answer.
        """
        waiting = sorted(run.name for run in self.folder.glob("*"))
        if not waiting:
            return
        with client(self.uri) as opened:
            for run_id in waiting:
                try:
                    self._send(opened, run_id)
                except MlflowException as error:
                    print(f"{self.folder / run_id} stays undelivered: {brief(error)}", file=sys.stderr)

    def _keep(self, run_id: str, name: str, record: dict[str, Any]) -> None:
        timed = record | {"time": int(time.time() * 1000)}
        try:
            self._write(self.folder / run_id, name, timed)
        except FileNotFoundError:  # another process has emptied the folder and removed it
            self._write(self.folder / run_id, name, timed)

    def _write(self, folder: Path, name: str, record: dict[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f"{name}.unfinished"
        with unfinished.open("w") as file:
            json.dump(record, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(folder / f"{name}.json")  # atomic: no reader sees half a record

    def _waiting(self, run_id: str) -> dict[Path, dict[str, Any]]:
        records = {}
        for file in sorted((self.folder / run_id).glob("*.json")):  # "end" comes after all numbers
            with suppress(FileNotFoundError):  # another process has delivered it
                records[file] = json.loads(file.read_text())
        return records

    def _send(self, opened: MlflowClient, run_id: str) -> None:
        waiting = self._waiting(run_id)
        log_points(
            opened,
            run_id,
            [
                Metric(name, value, record["time"], record["step"])
                for record in waiting.values()
                for name, value in record.get("metrics", {}).items()
            ],
        )
        for record in waiting.values():
            if "status" in record:
                opened.set_terminated(run_id, record["status"], record["time"])
        for file in waiting:
            file.unlink(missing_ok=True)
        with suppress(OSError):  # not empty: something came in meanwhile
            (self.folder / run_id).rmdir()


def open_outbox() -> Outbox:
    """The project's own, for the store as the environment names it."""
    return Outbox(paths.state() / "outbox", store_uri())
