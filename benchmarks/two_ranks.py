"""What two ranks on two cores lose, and to what: the same steps alone, beside another training, averaged.

Plain processes of one thread each, without Ray. `alone`: one training. `beside`: two at once that know
nothing of each other; what they lose is the memory and the clock that the cores share. `averaged`: two ranks
of one training over gloo; what they lose on top is the averaging of gradients and the wait for the slower
one. `one bucket` averages each network's gradients at once, `bf16` sends them in half the bytes. What lies
between `averaged` and benchmarks.scaling is Ray's. Every way is run twice, there and back, so that a machine
that grows slower or faster meanwhile slows all alike. Wants two quiet cores for ten minutes.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks
from torch.nn.parallel import DistributedDataParallel

from benchmarks.measuring import finish
from benchmarks.scaling import EPOCHS, IMAGES, SHARE, steady_rate
from benchmarks.workspace import lay_out
from roigan.config import Params, changed
from roigan.training.loop import train
from roigan.training.worker import Worker


def averaging(**options: Any) -> Callable[[nn.Module], nn.Module]:
    """A wrapper as Ray's, with some options of DistributedDataParallel."""
    return lambda net: DistributedDataParallel(net, broadcast_buffers=False, **options)


def in_half(net: nn.Module) -> nn.Module:
    """A wrapper that sends gradients in bfloat16."""
    wrapped = averaging()(net)
    wrapped.register_comm_hook(None, default_hooks.bf16_compress_hook)
    return wrapped


WAYS: dict[str, Callable[[nn.Module], nn.Module] | None] = {
    "alone": None, "beside": None, "averaged": averaging(), "one bucket": averaging(bucket_cap_mb=256),
    "bf16": in_half,
}  # fmt: skip
"""By name: what wraps the networks of ranks that average."""


def main() -> None:
    torch.set_num_threads(1)
    order = [*WAYS, *reversed(WAYS)]
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
        root = Path(folder)
        base = lay_out(root, {"data.limit": IMAGES, "train.num_workers": 0, "train.precision": "fp32"})
        for turn, way in enumerate(order):
            rates[way].append(images_per_second(way, base, root, root / f"turn-{turn}"))
    means = {way: sum(found) / len(found) for way, found in rates.items()}
    finish(
        "two_ranks", {way: round(rate, 2) for way, rate in means.items()}, torch.device("cpu"),
        ratios={way: round(rate / means["alone"], 3) for way, rate in means.items()},
        each={way: [round(rate, 2) for rate in found] for way, found in rates.items()},
        batch_per_rank=SHARE, width=base.model.width,
    )  # fmt: skip


def images_per_second(way: str, base: Params, root: Path, folder: Path) -> float:
    """Of all processes together, after their first epoch."""
    folder.mkdir()
    processes = 1 if way == "alone" else 2
    mp.spawn(play, (way, base, root, folder), nprocs=processes)
    batch = SHARE if WAYS[way] is None else SHARE * processes
    found = [steady_rate(pd.read_csv(file), batch) for file in sorted(folder.glob("*.csv"))]
    return sum(found)


def play(rank: int, way: str, base: Params, root: Path, folder: Path) -> None:
    """One process: a whole training of its own, or a rank of one; leaves its history."""
    torch.set_num_threads(1)
    wrap = WAYS[way]
    if wrap:
        dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    place: dict[str, Any] = {"rank": rank, "world": 2, "wrap": wrap} if wrap else {}
    batch = SHARE * place.get("world", 1)
    params = changed(base, {"train.batch_size": batch, "train.steps": EPOCHS * (IMAGES // batch)})
    scratch = folder / f"checkpoint-{rank}"
    failure = train(params, Worker(f"{way}-{rank}", root, lambda row, checkpoint: None, scratch, **place))
    assert failure is None, failure
    if (scratch / "history.csv").is_file():  # of a training's first rank
        shutil.copy(scratch / "history.csv", folder / f"{rank}.csv")
    if wrap:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
