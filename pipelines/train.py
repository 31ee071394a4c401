"""Stage `train`: the game, on the group that params.yaml asks for; weights, history and samples remain."""

import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from roigan.config import load_params
from roigan.errors import UserError, exit_on_user_error
from roigan.files import paths
from roigan.launch.identity import run_name
from roigan.launch.storage import interrupted
from roigan.launch.training import launch
from roigan.tracking import runs
from roigan.tracking.lineage import lineage
from roigan.tracking.outbox import Outbox, open_outbox

NOT_TERMS = {"step", "said"}


def log_epoch(run_id: str, outbox: Outbox, row: dict[str, Any]) -> str | None:
    """The only writer of a training's metrics; under Ray it runs in the controller, hence the outbox."""
    return outbox.point(run_id, row["step"], {name: row[name] for name in row if name not in NOT_TERMS})


def main() -> None:
    params, root = load_params(), Path.cwd().resolve()
    name = run_name(params, root)
    outbox = open_outbox()
    outbox.deliver()  # what an earlier training left
    if not interrupted(name):  # step 0 again: its points are no second ones of an earlier run
        runs.set_aside(params, name)
    run_id = runs.start_run(params, name, lineage(params))
    print(f"train: run {name}, {params.train.steps} steps of {params.train.batch_size} images", flush=True)
    try:
        last = launch(params, root, name, partial(log_epoch, run_id, outbox))
    except BaseException:
        with suppress(UserError, OSError):  # not in the way of what has happened
            outbox.end(run_id, "FAILED")
        raise
    for source, target in (("model", paths.MODEL), ("samples", paths.SAMPLES)):
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(last / source, target)
    shutil.copy(last / "history.csv", paths.HISTORY)
    try:
        outbox.end(run_id)
        runs.log_artifacts(run_id, [paths.HISTORY, paths.SAMPLES])
    except UserError as error:
        print(f"train: {error}; the next stage, or the next `uv run dvc repro`, delivers what is missing")
    print(f"train: {paths.MODEL}, {paths.HISTORY}, {paths.SAMPLES}")


if __name__ == "__main__":
    exit_on_user_error(main)
