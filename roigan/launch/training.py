"""Where training runs: a Ray Train group, one rank per device, or this process."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from roigan import paths
from roigan.config import Params
from roigan.errors import UserError
from roigan.launch.cluster import device, start_ray
from roigan.train import Place, train

OnReport = Callable[[dict[str, Any]], None]


def launch(params: Params, root: Path, name: str, on_report: OnReport) -> Path:
    """Train to the end and return the folder of the last checkpoint.

    A run of the same name that was interrupted goes on from its last checkpoint. on_report gets every
    epoch's metrics, once; under Ray it runs in the controller process and must be picklable. Lines of
    progress are printed here. Raises UserError where the run had to stop (a term became NaN, say); the
    environment variable ROIGAN_FRESH=1 discards an interrupted run instead of continuing it.
    """
    if os.environ.get("ROIGAN_FRESH", "0") not in ("", "0"):
        forget(name)
    run = _in_process if params.train.num_workers == 0 else _in_ray_group
    failure, folder = run(params, root, name, on_report)
    if failure:
        raise UserError(f"training stopped: {failure}")
    if folder is None:
        raise UserError("training wrote no checkpoint; is train.steps positive?")
    return folder


def forget(name: str) -> None:
    """Delete the checkpoints of a run, once its results are stored elsewhere."""
    shutil.rmtree(paths.state() / "runs" / name, ignore_errors=True)


# --- In this process ----------------------------------------------------------------------------------


def _in_process(params: Params, root: Path, name: str, on_report: OnReport) -> tuple[str | None, Path | None]:
    kept = paths.state() / "runs" / name
    shutil.rmtree(kept / "unfinished", ignore_errors=True)
    finished = sorted(kept.glob("checkpoint-*"))

    def report(metrics: dict[str, Any], folder: Path | None) -> None:
        if folder:
            new = kept / f"checkpoint-{metrics['step']:08d}"
            shutil.rmtree(new, ignore_errors=True)
            folder.rename(new)  # atomic: a checkpoint is there whole or not at all
            for old in sorted(kept.glob("checkpoint-*"))[:-2]:
                shutil.rmtree(old)
        on_report(metrics)

    place = Place(
        name=name,
        root=root,
        report=report,
        scratch=kept / "unfinished",
        say=lambda line: print(line, flush=True),
        device=device(params),
        resume=finished[-1] if finished else None,
    )
    failure = train(params, place)
    finished = sorted(kept.glob("checkpoint-*"))
    return failure, finished[-1] if finished else None


# --- In a Ray Train group -----------------------------------------------------------------------------


def _in_ray_group(
    params: Params, root: Path, name: str, on_report: OnReport
) -> tuple[str | None, Path | None]:
    start_ray(params)
    import ray
    from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer
    from ray.train.v2.api.exceptions import TrainingFailedError

    workers = params.train.num_workers
    storage = paths.state() / "runs"
    said = storage / f"{name}.progress"
    storage.mkdir(exist_ok=True)
    said.write_text("")
    trainer = TorchTrainer(
        _worker,  # type: ignore[arg-type]  # Ray types it without the return value that it passes on
        train_loop_config={
            "params": params.model_dump(mode="json", by_alias=True),
            "root": str(root),
            "name": name,
        },
        scaling_config=ScalingConfig(
            num_workers=workers,
            use_gpu=params.train.use_gpu,
            resources_per_worker={"CPU": max(1, int(ray.cluster_resources()["CPU"]) // workers)}
            | ({"GPU": 1} if params.train.use_gpu else {}),
        ),
        run_config=RunConfig(
            name=name,
            storage_path=str(storage),
            failure_config=FailureConfig(max_failures=params.train.max_failures),
            checkpoint_config=CheckpointConfig(num_to_keep=2),
            callbacks=[_controller_callback(on_report, said)],
        ),
    )
    stop = threading.Event()
    echo = threading.Thread(target=_echo, args=(said, stop), daemon=True)
    echo.start()
    try:
        result = trainer.fit()
    except TrainingFailedError as error:
        cause = str(error).strip().splitlines()[-1]
        raise UserError(f"training failed on all tries ({cause}); the checkpoints are kept") from error
    finally:
        stop.set()
        echo.join()
        said.unlink(missing_ok=True)
    failure: str | None = getattr(result, "return_value", None)  # of rank 0
    return failure, Path(result.checkpoint.path) if result.checkpoint else None


def _worker(config: dict[str, Any]) -> str | None:
    """What runs on every rank of the group."""
    import ray.train
    from ray.train.torch import get_device, prepare_model

    from roigan.config import parse_params

    context, lines = ray.train.get_context(), list[str]()

    def report(metrics: dict[str, Any], folder: Path | None) -> None:
        checkpoint = ray.train.Checkpoint.from_directory(str(folder)) if folder else None
        ray.train.report(metrics | {"said": lines.copy()}, checkpoint=checkpoint)
        lines.clear()

    def wrap(net: Any) -> Any:
        return prepare_model(net, parallel_strategy_kwargs={"broadcast_buffers": False})

    last = ray.train.get_checkpoint()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            return train(
                parse_params(config["params"]),
                Place(
                    name=config["name"],
                    root=Path(config["root"]),
                    report=report,
                    scratch=Path(scratch) / "checkpoint",
                    say=lines.append,
                    rank=context.get_world_rank(),
                    world=context.get_world_size(),
                    device=get_device(),
                    wrap=wrap,
                    resume=Path(last.path) if last else None,
                ),
            )
        except UserError as error:  # trying again would not help
            return str(error)


def _controller_callback(on_report: OnReport, said: Path) -> Any:
    """Once per epoch, in the controller process: metrics to `on_report`, lines to the file of progress."""
    from ray.train import UserCallback

    class Controller(UserCallback):
        def after_report(self, run_context: Any, metrics: list[dict[str, Any]], checkpoint: Any) -> None:
            lines = metrics[0].pop("said")
            with said.open("a") as file:
                file.writelines(f"{line}\n" for line in lines)
            on_report(metrics[0])

        def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
            rank, error = next(iter(worker_exceptions.items()))
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1].split(". ")[0]
            with said.open("a") as file:
                file.write(f"lost worker {rank} ({reason}); going on from the last checkpoint\n")

    return Controller()


def _echo(said: Path, stop: threading.Event) -> None:
    """Print what is appended to the file of progress, until told to stop."""
    with said.open() as file:
        while True:
            ended = stop.is_set()
            print(file.read(), end="", flush=True)
            if ended:
                return
            stop.wait(0.5)
