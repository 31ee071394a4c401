"""What all ranks must decide alike, though each alone would find another answer."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from roigan.nets import precision

CPU = torch.device("cpu")


def decide(rank: int, folder: str) -> None:
    """Rank 0 gains by bfloat16, rank 1 loses by it."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    precision._gain_by_half = lambda device: (2.0, 0.5)[rank]
    chosen, _ = precision.choose_precision("auto", CPU, world=2)
    (Path(folder) / str(rank)).write_text(chosen)
    dist.destroy_process_group()


def test_ranks_decide_as_rank_0_does(tmp_path: Path) -> None:
    mp.spawn(decide, (str(tmp_path),), nprocs=2)
    for rank in range(2):
        assert (tmp_path / str(rank)).read_text() == "bf16", rank
