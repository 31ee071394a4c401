"""Stage `train`: the game, on the group that params.yaml asks for; weights, history and samples remain."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from roigan import paths, tracking
from roigan.config import load_params
from roigan.errors import exit_on_user_error
from roigan.launch import forget, launch, run_name
from roigan.lineage import lineage

NOT_TERMS = {"step", "said"}


def log_epoch(run_id: str, uri: str, row: dict[str, Any]) -> None:
    """The only writer of a training's metrics; under Ray it runs in the controller, hence the URI."""
    terms = {name: value for name, value in row.items() if name not in NOT_TERMS}
    tracking.log_metrics(run_id, row["step"], terms, uri=uri)


def main() -> None:
    params, root = load_params(), Path.cwd().resolve()
    name = run_name(params, root)
    run_id = tracking.start_run(params, name, lineage(params))
    print(f"train: run {name}, {params.train.steps} steps of {params.train.batch_size} images", flush=True)
    try:
        last = launch(params, root, name, partial(log_epoch, run_id, tracking.store()))
    except BaseException:
        tracking.finish_run(run_id, "FAILED")
        raise
    for source, target in (("model", paths.MODEL), ("samples", paths.SAMPLES)):
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(last / source, target)
    shutil.copy(last / "history.csv", paths.HISTORY)
    tracking.log_artifacts(run_id, [paths.HISTORY, paths.SAMPLES])
    tracking.finish_run(run_id)
    forget(name)  # the results are stored; what is left of the run would only be continued by mistake
    print(f"train: {paths.MODEL}, {paths.HISTORY}, {paths.SAMPLES}")


if __name__ == "__main__":
    exit_on_user_error(main)
