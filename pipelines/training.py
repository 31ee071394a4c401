"""What the stages `prior` and `train` do: a training, where params.yaml wants it, and its record."""

import json
import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from roigan.config import Params
from roigan.errors import UserError
from roigan.files import paths
from roigan.launch.identity import run_name
from roigan.launch.storage import interrupted, storage_of
from roigan.launch.training import launch
from roigan.systems.states import check_states
from roigan.tracking import runs
from roigan.tracking.lineage import lineage
from roigan.tracking.outbox import Outbox, open_outbox

NOT_TERMS = {"step", "said"}


def log_epoch(run_id: str, outbox: Outbox, row: dict[str, Any]) -> str | None:
    """The only writer of a training's metrics; under Ray it runs in the controller, hence the outbox."""
    return outbox.point(run_id, row["step"], {name: row[name] for name in row if name not in NOT_TERMS})


def run(stage: str, params: Params, model: Path, reports: Path) -> None:
    """Train; `model` gets the model folder, `reports` history.csv and samples/."""
    root = Path.cwd().resolve()
    name = run_name(params, root)
    outbox = open_outbox()
    outbox.deliver()  # what an earlier training left
    if not interrupted(name):  # step 0 again: its points are no second ones of an earlier run
        runs.set_aside(params, name)
    run_id = runs.start_run(params, name, lineage(params))
    print(f"{stage}: run {name}, {params.train.steps} steps of {params.train.batch_size} images", flush=True)
    try:
        last = launch(params, root, name, partial(log_epoch, run_id, outbox))
    except BaseException:
        with suppress(UserError, OSError):  # not in the way of what has happened
            outbox.end(run_id, "FAILED")
        raise
    rows, samples = reports / paths.HISTORY.name, reports / paths.SAMPLES.name
    reports.mkdir(parents=True, exist_ok=True)
    for source, target in (("model", model), ("samples", samples)):
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(last / source, target)
    shutil.copy(last / "history.csv", rows)
    if states := json.loads((model / "config.json").read_text())["states"]:
        storage_of(name).fetch_states(model / "states")
        check_states(model / "states", states)
    try:
        outbox.end(run_id)
        runs.log_artifacts(run_id, [rows, samples])
    except UserError as error:
        print(f"{stage}: {error}; the next stage, or the next `uv run dvc repro`, delivers what is missing")
    print(f"{stage}: {model}, {rows}, {samples}")
