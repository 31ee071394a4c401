"""Runs: one for every training, named by the fingerprint of what goes into it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from roigan.config import Params
from roigan.tracking.places import repository_of
from roigan.tracking.store import client, experiment_id

LONGEST_PARAM = 6000  # characters; MLflow's limit
LARGEST_BATCH = 1000  # metrics per call; MLflow's limit


def find_run(params: Params, fingerprint: str) -> str | None:
    """Id of the run of the training that `fingerprint` names, or None."""
    with client() as opened:
        experiment = experiment_id(opened, params.register_.experiment)
        found = opened.search_runs([experiment], f"tags.fingerprint = '{fingerprint}'", max_results=1)
        return str(found[0].info.run_id) if found else None


def has_ended(params: Params, fingerprint: str) -> bool:
    """Whether there is a run of this fingerprint that is closed."""
    run_id = find_run(params, fingerprint)
    with client() as opened:
        return run_id is not None and str(opened.get_run(run_id).info.status) != "RUNNING"


def set_aside(params: Params, fingerprint: str) -> None:
    """Take the fingerprint off a run that has it: the same training begins anew, in a run of its own."""
    run_id = find_run(params, fingerprint)
    with client() as opened:
        if run_id:
            opened.delete_tag(run_id, "fingerprint")
            if opened.get_run(run_id).info.status == "RUNNING":  # it was killed
                opened.set_terminated(run_id, "KILLED")


def run_of(params: Params, fingerprint: str, tags: Mapping[str, str] | None = None) -> str:
    """Id of the run of this fingerprint, made where there is none; `tags` are added to it.

    The run bears the name of the DVC experiment, where it is one, and all parameters ("train.lr_g").
    """
    run_id = find_run(params, fingerprint)
    with client() as opened:
        if not run_id:
            experiment = experiment_id(opened, params.register_.experiment)
            name = os.environ.get("DVC_EXP_NAME") or fingerprint
            run = opened.create_run(experiment, run_name=name, tags={"fingerprint": fingerprint})
            run_id = str(run.info.run_id)
            opened.log_batch(run_id, params=[Param(key, value) for key, value in flat(params)])
        for key, value in (tags or {}).items():
            opened.set_tag(run_id, key, value)
        return run_id


def start_run(params: Params, fingerprint: str, tags: Mapping[str, str] | None = None) -> str:
    """Go on with the run of this fingerprint, or begin it; returns its id."""
    run_id = run_of(params, fingerprint, tags)
    with client() as opened:
        opened.update_run(run_id, status="RUNNING")
    return run_id


def flat(params: Params) -> Iterable[tuple[str, str]]:
    """("train.lr_g", "0.001"), ..."""
    for block, content in params.model_dump(mode="json", by_alias=True).items():
        for key, value in content.items() if isinstance(content, dict) else [("", content)]:
            yield f"{block}.{key}".rstrip("."), str(value)[:LONGEST_PARAM]


def log_metrics(run_id: str, step: int, metrics: Mapping[str, float]) -> None:
    """Add a point to each metric ("evaluation/fid": 0.7); a training's own go through the outbox."""
    now = int(time.time() * 1000)
    with client() as opened:
        log_points(opened, run_id, [Metric(name, float(value), now, step) for name, value in metrics.items()])


def log_history(run_id: str, history: Path) -> None:
    """Give a run the rows of its training's CSV that it lacks: all of them where the run was made anew, one
    where the training was killed between a checkpoint and its report."""
    table = pd.read_csv(history)
    now = int(time.time() * 1000)
    names = [str(name) for name in table.select_dtypes("number") if name != "step"]
    with client() as opened:
        known = {point.step for point in opened.get_metric_history(run_id, names[0])}
        points = [
            Metric(name, float(value), now, int(step))
            for name in names
            for step, value in table[["step", name]].dropna().itertuples(index=False)
            if step not in known
        ]
        log_points(opened, run_id, points)


def log_points(opened: MlflowClient, run_id: str, points: list[Metric]) -> None:
    """Any number of points, in batches that MLflow takes; those that the run has already are not doubled."""
    for i in range(0, len(points), LARGEST_BATCH):
        opened.log_batch(run_id, metrics=points[i : i + LARGEST_BATCH])


def log_artifacts(run_id: str, files: Iterable[Path], folder: str | None = None) -> None:
    """Copy files and folders to the run (into `folder` of its artefacts); what does not exist is left out."""
    with client() as opened:
        run = repository_of(opened, run_id)
        for file in map(Path, files):
            if file.is_dir():
                run.log_artifacts(str(file), f"{folder}/{file.name}" if folder else file.name)
            elif file.is_file():
                run.log_artifact(str(file), folder)


def finish_run(run_id: str) -> None:
    """Close a run, unless that has happened: its end is that of the training, not of what came after."""
    with client() as opened:
        if opened.get_run(run_id).info.status == "RUNNING":
            opened.set_terminated(run_id)
