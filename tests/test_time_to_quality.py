"""Time to quality: the time at which an aim is met, and an interrupted run that goes on."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

from benchmarks import time_to_quality
from benchmarks.scaling import steady_rate
from benchmarks.time_to_quality import judged, minutes_to, run
from tests.conftest import Small


def test_the_first_snapshot_that_meets_the_aim_counts() -> None:
    rows = pd.DataFrame({"cpu_s": [60.0, 120.0, 180.0, 240.0], "r": [0.5, 0.2, 0.3, 0.1]})
    assert minutes_to(0.2, rows) == 2
    assert minutes_to(0.1, rows) == 4
    assert math.isinf(minutes_to(0.05, rows))


def test_starting_up_is_no_part_of_a_steady_rate() -> None:
    """Ten steps of four images in 20 s, then ten in 10 s and ten in 10 s; rates are means since the start."""
    seconds = pd.Series([20.0, 30.0, 40.0])
    history = pd.DataFrame({"step": [10, 20, 30]}).assign(images_per_s=lambda t: t["step"] * 4 / seconds)
    assert steady_rate(history, 4) == pytest.approx(4)


def test_recipes_leave_the_data_and_the_judge_alone(monkeypatch: pytest.MonkeyPatch, small: Small) -> None:
    mine = small(data__image_size=64, data__channels=3)
    monkeypatch.setattr(time_to_quality, "load_params", lambda: mine)
    thesis = time_to_quality.recipe("thesis")
    assert (thesis.data, thesis.masks, thesis.evaluate) == (mine.data, mine.masks, mine.evaluate)
    assert (thesis.model.width, thesis.train.lr_d, thesis.train.num_workers) == (1.0, 1e-4, 0)


def test_an_interrupted_run_ends_as_a_whole_one(
    prepared: Path, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    params = small(train__steps=4, train__report_every=2)
    first, last = run("whole", params)
    assert (first.name, last.name) == ("0000002", "0000004")
    shutil.copytree(first, Path(".roigan/time_to_quality/again/0000002"))  # all that an interruption leaves
    began, ended = run("again", params)
    weights = [load_file(folder / "model" / "generator.safetensors") for folder in (last, ended)]
    assert all(weights[0][key].equal(weights[1][key]) for key in weights[0])
    seconds = [json.loads((folder / "time.json").read_text())["cpu_s"] for folder in (began, ended)]
    assert 0 < seconds[0] < seconds[1]
    table = judged(params, [first, last])
    assert table["step"].tolist() == [2, 4]
    assert table["cpu_s"].tolist()[0] > 0
    means = table[["r_ellipse", "r_rectangle", "r_mixture"]].mean(axis=1)
    assert table["r"].tolist() == pytest.approx(means.tolist())
