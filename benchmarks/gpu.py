"""Half an hour of a GPU, filled: speed of a step and of masks, two ranks on one device, then a training.

    python -m benchmarks.gpu IMAGES OUT [MINUTES]

IMAGES: a zip or folder of faces, cats or cars at 64 px; OUT: where results lie, and whatever an earlier call
left there is gone on with; MINUTES: of training (20). Everything runs in this process: torch is needed, and
neither Ray nor MLflow nor DVC. The training is that of presets/faces64.yaml at width 1, in bfloat16; after
every epoch its checkpoint lies in OUT/last, and model, history and samples of it in parts of 15 MiB as well,
for transports that take no larger files (`cat OUT/checkpoint.tar.* | tar x`). Runs on a CPU, too, which shows
that it will run.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import torch
from torch.multiprocessing import spawn

from benchmarks.measuring import device, rate
from benchmarks.train_step import prepare as prepare_step
from benchmarks.workspace import write
from roigan.config import Params, changed, load_params
from roigan.config.presets import apply
from roigan.datasets.prepare import prepare
from roigan.errors import UserError, exit_on_user_error
from roigan.features.network import make_features
from roigan.files import paths
from roigan.training.loop import train
from roigan.training.worker import Worker

ROOT = Path(__file__).parent.parent
PART, STATE = 15 << 20, "state.safetensors"  # bytes of a part; what is left out
WIDE = {"model.width": 1.0, "train.precision": "bf16", "train.num_workers": 0}
SAFE = 0.85  # of the steps that the measured rate promises: checkpoints and samples take time


def main() -> None:
    if len(sys.argv) not in (3, 4):
        raise UserError("usage: python -m benchmarks.gpu IMAGES OUT [MINUTES]")
    images, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    minutes = float(sys.argv[3]) if len(sys.argv) > 3 else 20.0
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "params.yaml").is_file():
        for name in ("train_step", "masks"):
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=ROOT, check=True)
        if torch.cuda.is_available():
            print(f"two ranks on one device: means agree to {ranks_agree():.1e}")
        lay_out(images, out, minutes)
    learn(load_params(out / "params.yaml"), out)


def lay_out(images: Path, out: Path, minutes: float) -> None:
    """Prepared images, features and params.yaml, with as many steps as the minutes have room for."""
    shutil.copyfile(ROOT / "params.yaml", out / "params.yaml")
    apply(ROOT / "presets/faces64.yaml", out / "params.yaml")
    params = changed(load_params(out / "params.yaml"), WIDE | {"data.path": str(images)})
    on = device()
    batch, _, _, step = prepare_step(on, WIDE)
    steps = max(1, int(SAFE * 60 * minutes * rate(step, 1, on)))
    params = changed(params, {"train.batch_size": batch, "train.steps": steps})
    prepare(params.data, out / paths.PREPARED)
    make_features(out / paths.PREPARED, params.features, out / paths.FEATURES)
    write(out, params)
    print(f"training: {steps} steps of {batch} images in about {minutes:g} minutes")


def learn(params: Params, out: Path) -> None:
    """Train, or go on; what is finished lies in OUT/checkpoint.tar.*, and as a folder."""
    last = out / "last"
    began = time.perf_counter()

    def report(row: dict[str, Any], folder: Path | None) -> None:
        assert folder
        shutil.rmtree(last, ignore_errors=True)
        shutil.copytree(folder, last)
        pack(last, out)
        print(f"step {row['step']}: {time.perf_counter() - began:.0f} s", flush=True)

    resume = last if (last / "state.json").is_file() else None
    scratch = out / "scratch"
    scratch.mkdir(exist_ok=True)
    worker = Worker(
        "gpu", out, report, scratch, say=lambda line: print(line, flush=True), device=device(), resume=resume
    )
    if failure := train(params, worker):
        raise UserError(failure)


def pack(folder: Path, out: Path) -> None:
    """A checkpoint folder as a tar file in parts, without the optimisers' state, which is most of it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(folder, folder.name, filter=lambda file: None if file.name.endswith(STATE) else file)
    content = packed.getbuffer()
    for old in out.glob("checkpoint.tar.*"):
        old.unlink()
    for i in range(0, len(content), PART):
        (out / f"checkpoint.tar.{i // PART:02d}").write_bytes(content[i : i + PART])


def ranks_agree() -> float:
    """The largest difference between the mean of two ranks' gradients on one device and the whole's."""
    results = torch.zeros(2).share_memory_()
    spawn(_rank, args=(results,), nprocs=2)
    return float(results.max())


def _rank(rank: int, results: torch.Tensor) -> None:
    torch.distributed.init_process_group("gloo", init_method="tcp://127.0.0.1:29511", rank=rank, world_size=2)
    torch.manual_seed(0)
    net = torch.nn.Conv2d(3, 8, 3).to(device())
    x = torch.randn(8, 3, 16, 16).to(device())
    whole = torch.autograd.grad(net(x).square().mean(), [net.weight])[0]
    (half,) = torch.autograd.grad(net(x[4 * rank : 4 * rank + 4]).square().mean(), [net.weight])
    mean = half.cpu()
    torch.distributed.all_reduce(mean)
    results[rank] = (mean / 2 - whole.cpu()).abs().max()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    exit_on_user_error(main)
