"""Training in bfloat16: it ends, near what float32 comes to and not equal to it; on a CUDA device as well."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from roigan.config import Params
from roigan.launch.identity import run_name
from roigan.launch.training import launch
from roigan.systems.model import Model
from tests.conftest import Small


@pytest.fixture
def project(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the prepared project, as the current folder."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trained(params: Params, project: Path) -> tuple[pd.DataFrame, dict[str, torch.Tensor]]:
    """The loss terms after every step, and the networks' tensors in the end."""
    last = launch(params, project, run_name(params, project), lambda row: None)
    assert Model.load(last / "model").config["precision"] == params.train.precision
    history = pd.read_csv(last / "history.csv").set_index("step").drop(columns=["epoch", "images_per_s"])
    tensors = load_file(last / "state.safetensors")
    return history, {name: tensors[name] for name in tensors if name.startswith("net/")}


def assert_bfloat16_ends_near_float32(project: Path, make: Callable[..., Params], **changes: bool) -> None:
    """After two steps: float32 weights whose values are finite, and everything within three percent."""
    (half, mine), (full, its) = (
        trained(make(train__precision=wish, train__steps=2, train__report_every=1, **changes), project)
        for wish in ("bf16", "fp32")
    )
    assert half.index.tolist() == full.index.tolist() == [1, 2]
    assert half.loc[1].notna().all()
    assert (half.loc[1] != full.loc[1]).any()  # or else it was not bfloat16
    np.testing.assert_allclose(half, full, rtol=0.03, atol=1e-5)
    assert mine.keys() == its.keys()
    for name, value in mine.items():
        assert value.dtype == its[name].dtype == torch.float32, name
        assert value.isfinite().all(), name
        if value.ndim > 1:  # biases begin at 0: after two steps they are all change
            assert (value - its[name]).norm() < 0.03 * its[name].norm(), name


def test_bfloat16_ends_near_float32(small: Small, project: Path) -> None:
    assert_bfloat16_ends_near_float32(project, small)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
def test_bfloat16_ends_near_float32_on_a_gpu(small: Small, project: Path) -> None:
    torch.cuda.reset_peak_memory_stats()
    assert_bfloat16_ends_near_float32(project, small, train__use_gpu=True)
    assert torch.cuda.max_memory_allocated() > 0
