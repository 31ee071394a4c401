"""Where training runs: a Ray Train group, one rank per device, or this process."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from roigan.config import Params
from roigan.errors import UserError, last_line
from roigan.launch.cluster import device, room, share, start_ray
from roigan.launch.lines import Lines
from roigan.launch.meanwhile import meanwhile
from roigan.launch.storage import (
    Storage,
    _newest,
    _quiet,
    _scratch,
    forget,
    fresh,
    label,
    storage_of,
)
from roigan.training import checkpoint
from roigan.training.loop import train
from roigan.training.worker import Worker

OnReport = Callable[[dict[str, Any]], str | None]
"""What it returns, if anything, is said."""


def launch(params: Params, root: Path, name: str, on_report: OnReport) -> Path:
    """Train to the end and return the folder of the last checkpoint.

    A run of the same name that was interrupted goes on from its last whole checkpoint. on_report gets every
    epoch's metrics, once; under Ray it runs in the controller process and must be picklable. Lines of
    progress are printed here. Raises UserError where the run had to stop (a term became NaN, say); the
    environment variable ROIGAN_FRESH=1 discards an interrupted run instead of continuing it.
    """
    if fresh():
        forget(name)
    storage, scratch = storage_of(name), _scratch(name)
    run = _in_process if params.train.num_workers == 0 else _in_ray_group
    folder, reached = _newest(storage, scratch, _quiet)
    if reached != params.train.steps:  # or else its results were not stored
        try:
            failure = run(params, root, name, storage, on_report)
        except KeyboardInterrupt:
            _print("interrupted; the same command goes on from the last checkpoint")
            raise
        if failure:
            raise UserError(f"training stopped: {failure}")
        folder, reached = _newest(storage, scratch, _print)
    if folder is None or reached != params.train.steps:  # damaged since, or not in sight from this machine
        raise UserError(
            f"the checkpoint of step {params.train.steps} cannot be read here; "
            f"the same command goes on from step {reached}"
        )
    return folder


def _print(line: str) -> None:
    print(line, flush=True)


# --- In this process ----------------------------------------------------------------------------------


def _in_process(params: Params, root: Path, name: str, storage: Storage, on_report: OnReport) -> str | None:
    def report(metrics: dict[str, Any], folder: Path | None) -> None:
        if folder:
            with checkpoint.writing(metrics["step"]):
                storage.keep(folder, metrics["step"])
        if line := on_report(metrics):
            _print(line)

    scratch = _scratch(name)
    shutil.rmtree(scratch, ignore_errors=True)
    worker = Worker(
        name=name,
        root=root,
        report=report,
        scratch=scratch / "checkpoint",
        say=_print,
        keep_state=storage.keep_state,
        device=device(params),
        resume=storage.newest(scratch / "fetched", _print),
    )
    return train(params, worker)


# --- In a Ray Train group -----------------------------------------------------------------------------


def _in_ray_group(params: Params, root: Path, name: str, storage: Storage, on_report: OnReport) -> str | None:
    start_ray(params.train.num_workers, params)
    from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer
    from ray.train.v2.api.exceptions import TrainingFailedError

    # a folder of its own for every start: Ray keeps a list of checkpoints there, and where that list was cut
    # it starts no more. What lies in the storage is all that counts here.
    attempt = time.strftime("%Y%m%d-%H%M%S")
    need, most = share(params), params.train.num_workers
    fewest = params.train.min_workers or most
    lines, reported = Lines(), _scratch(name) / "reported"
    reported.parent.mkdir(parents=True, exist_ok=True)
    trainer = TorchTrainer(
        _worker,  # type: ignore[arg-type]  # Ray types it without the return value that it passes on
        train_loop_config={
            "params": params.model_dump(mode="json", by_alias=True),
            "root": str(root),
            "name": name,
            "storage": storage,
            "attempt": attempt,
            "lines": lines,
        },
        scaling_config=ScalingConfig(
            num_workers=(fewest, most) if fewest < most else most,  # type: ignore[arg-type]  # of Ray Train V1
            use_gpu=params.train.use_gpu,
            resources_per_worker=need,
        ),
        run_config=RunConfig(
            name=attempt,
            storage_path=storage.path,
            storage_filesystem=storage.files,
            failure_config=FailureConfig(max_failures=params.train.max_failures),
            checkpoint_config=CheckpointConfig(num_to_keep=2),
            callbacks=[_controller_callback(on_report, reported, lines.say)],
        ),
    )
    try:
        with lines.printed(), meanwhile(partial(_watch, need, fewest)):
            result = trainer.fit()
    except TrainingFailedError as error:
        stopped = getattr(error, "controller_failure", None)
        if isinstance(stopped, UserError):
            return str(stopped)
        cause = last_line(str(error))
        raise UserError(
            f"training failed ({cause}); the checkpoints are kept, the same command goes on from the last one"
        ) from error
    except SystemExit:  # how Ray answers Ctrl-C, with an exit code of 0
        raise KeyboardInterrupt from None
    failure: str | None = getattr(result, "return_value", None)  # of rank 0
    return failure


def _worker(config: dict[str, Any]) -> str | None:
    """What runs on every rank of the group."""
    import ray.train
    from ray.train.torch import get_device, prepare_model

    from roigan.config import parse_params

    context = ray.train.get_context()
    storage: Storage = config["storage"]
    say = config["lines"].say if context.get_world_rank() == 0 else _quiet

    def report(metrics: dict[str, Any], folder: Path | None) -> None:
        kept = ray.train.Checkpoint.from_directory(str(folder)) if folder else None
        # the suffix: an epoch that is repeated gets a folder of its own
        called = f"{label(metrics['step'])}-{os.urandom(2).hex()}"
        try:
            ray.train.report(metrics, checkpoint=kept, checkpoint_dir_name=called)
        except OSError as error:
            storage.drop(f"{storage.path}/{config['attempt']}/{called}")
            if error.errno in checkpoint.FULL:
                raise checkpoint.unwritten(metrics["step"], error) from error
            raise  # a bucket that is out of reach may be back at the next try

    def wrap(net: Any) -> Any:
        return prepare_model(net, parallel_strategy_kwargs={"broadcast_buffers": False})

    most = config["params"]["train"]["num_workers"]
    if context.get_world_size() < most:
        say(f"training on {context.get_world_size()} of {most} workers")
    with tempfile.TemporaryDirectory() as scratch:
        # all ranks choose alike: nothing new is written before all of them have chosen
        resume = storage.newest(Path(scratch) / "fetched", say)
        if resume:  # whoever wrote it may have been lost before the controller had heard of its last epochs
            history = json.loads((resume / checkpoint.STATE).read_text())["history"]
            report(history[-1] | {"history": history}, None)
        return train(
            parse_params(config["params"]),
            Worker(
                name=config["name"],
                root=Path(config["root"]),
                report=report,
                scratch=Path(scratch) / "checkpoint",
                say=say,
                keep_state=storage.keep_state,
                rank=context.get_world_rank(),
                world=context.get_world_size(),
                device=get_device(),
                wrap=wrap,
                resume=resume,
            ),
        )


def _controller_callback(on_report: OnReport, reported: Path, say: Callable[[str], None]) -> Any:
    """At every report, in the controller process: metrics to `on_report`, what it returns to `say`.

    reported: a file for the last step of which `on_report` has been told, in whatever process.
    """
    from ray.train import UserCallback

    class Controller(UserCallback):
        def after_report(self, run_context: Any, metrics: list[dict[str, Any]], checkpoint: Any) -> None:
            last = int(reported.read_text() or 0) if reported.is_file() else 0
            for row in metrics[0].pop("history", metrics[:1]):
                if row["step"] > last:
                    if line := on_report(row):
                        say(line)
                    reported.write_text(str(row["step"]))

        def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
            for error in worker_exceptions.values():
                if isinstance(error, UserError):
                    raise error  # ends the run: trying again would not help
            rank, error = next(iter(worker_exceptions.items()))
            reason = (last_line(str(error)) or type(error).__name__).split(". ")[0]
            say(f"lost worker {rank} ({reason}); going on from the last checkpoint")

    return Controller()


def _watch(need: dict[str, float], workers: int, stop: threading.Event) -> None:
    """Say so where machines are missing: Ray waits for them without a word."""
    before = workers
    while not stop.wait(5):
        now = min(workers, room(need))
        if now < workers and now != before:
            _print(f"waiting for machines: the cluster has room for {now} of {workers} workers")
        before = now
