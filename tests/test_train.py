"""The training loop: learns, resumes exactly, stops at NaN by name, and never continues changed runs."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from roigan.config import Params
from roigan.corruptions.cache import load_cache, save_cache
from roigan.errors import UserError
from roigan.game import Batch, StepRandom
from roigan.images.arrays import to_float, to_uint8
from roigan.launch import storage
from roigan.launch.identity import CODE, run_name
from roigan.launch.training import launch
from roigan.systems.model import Model
from roigan.training import batches
from roigan.training.batches import Shuffled
from roigan.training.loop import remaining
from roigan.training.progress import Progress, clock
from tests.conftest import GLCIC, Small


@pytest.fixture
def project(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the prepared project, as the current folder."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Killed(BaseException):
    """What SIGKILL is to a process: nothing after it runs."""


def run(params: Params, project: Path, rows: list | None = None, die_after: int | None = None) -> Path:
    """Train in-process; `die_after` epochs the process is gone."""
    rows = [] if rows is None else rows

    def on_report(row: dict) -> None:
        rows.append(row)
        if die_after and len(rows) == die_after:
            raise Killed

    return launch(params, project, run_name(params, project), on_report)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "state.safetensors")


def test_a_run_leaves_model_history_and_samples(small: Small, project: Path) -> None:
    rows: list[dict] = []
    last = run(small(), project, rows)
    model = Model.load(last / "model")
    assert model.config["fingerprint"] == run_name(small(), project)
    history = pd.read_csv(last / "history.csv")
    assert history["step"].tolist() == [3, 6, 8]  # 24 images in batches of 8, and the last epoch cut short
    assert [row["step"] for row in rows] == [3, 6, 8]
    assert {"D/adv", "D/gp", "G/adv", "G/fm", "G/perceptual", "images_per_s"} <= set(history)
    assert sorted(p.name for p in (last / "samples").iterdir()) == ["0000003.png", "0000008.png"]


def test_another_system_trains_to_a_model_as_well(small: Small, project: Path) -> None:
    params = small(**GLCIC)
    last = run(params, project)
    assert Model.load(last / "model").system == "glcic"
    assert run_name(params, project).startswith("glcic-")
    history = pd.read_csv(last / "history.csv")
    assert {"G/mse", "G/adv", "D/adv"} <= set(history)
    assert len(list((last / "samples").iterdir())) == 2


def test_killed_and_resumed_equals_not_interrupted(small: Small, project: Path) -> None:
    params = small()
    whole = run(params, project)
    expected, model = weights(whole), (whole / "model" / "generator.safetensors").read_bytes()
    storage.forget(run_name(params, project))
    with pytest.raises(Killed):
        run(params, project, die_after=1)
    rows: list[dict] = []
    resumed = run(params, project, rows)
    assert [row["step"] for row in rows] == [6, 8]  # the first epoch was not repeated
    assert weights(resumed).keys() == expected.keys()
    assert all(torch.equal(value, expected[key]) for key, value in weights(resumed).items())
    assert (resumed / "model" / "generator.safetensors").read_bytes() == model
    assert pd.read_csv(resumed / "history.csv")["step"].tolist() == [3, 6, 8]


def test_what_is_finished_is_handed_over_again_until_it_is_forgotten(small: Small, project: Path) -> None:
    """DVC may fail to store what a training gave: a full disk, Ctrl-C."""
    first, rows = weights(run(small(), project)), []
    again = weights(run(small(), project, rows))
    assert not rows
    assert all(torch.equal(first[key], again[key]) for key in first)


def test_the_same_parameters_give_the_same_weights_and_others_do_not(small: Small, project: Path) -> None:
    first = weights(run(small(), project))
    storage.forget(run_name(small(), project))
    again = weights(run(small(), project))
    other = weights(run(small(train__seed=1), project))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["net/G/to_image.weight"], other["net/G/to_image.weight"])


def test_changed_parameters_data_or_features_never_continue_old_weights(small: Small, project: Path) -> None:
    name = run_name(small(), project)
    assert run_name(small(), project) == name
    assert run_name(small(train__lr_g=2e-3), project) != name
    assert run_name(small(losses__gp=1.0), project) != name
    assert run_name(small(evaluate__seed=3), project) == name  # does not touch the training
    assert run_name(small(train__max_failures=9, train__min_workers=1), project) == name  # nor do these
    statistics = project / "data/prepared/statistics.json"
    content = json.loads(statistics.read_text())
    statistics.write_text(json.dumps(content | {"data": "0" * 16}))
    assert run_name(small(), project) != name
    statistics.write_text(json.dumps(content))
    network = project / "data/features/network.safetensors"
    network.write_bytes(network.read_bytes() + b" ")
    assert run_name(small(), project) != name


def test_an_interrupted_run_is_not_continued_with_other_parameters(small: Small, project: Path) -> None:
    with pytest.raises(Killed):
        run(small(), project, die_after=1)
    rows: list[dict] = []
    run(small(train__lr_g=2e-3), project, rows)
    assert [row["step"] for row in rows] == [3, 6, 8]


def test_fresh_discards_the_interrupted_run(
    small: Small, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Killed):
        run(small(), project, die_after=1)
    monkeypatch.setenv("ROIGAN_FRESH", "1")
    rows: list[dict] = []
    run(small(), project, rows)
    assert [row["step"] for row in rows] == [3, 6, 8]


def test_nan_stops_the_run_with_the_terms_name(
    small: Small, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "roigan.losses.reconstruction.total_variation", lambda y, M: (y * float("nan")).mean()
    )
    with pytest.raises(UserError, match=r"G/tv became nan in epoch 1"):
        run(small(), project)


def test_too_few_images_for_a_batch(small: Small, project: Path) -> None:
    with pytest.raises(UserError, match="only 24 training images"):
        run(small(train__batch_size=32), project)


def test_cached_masks_are_trained_on(small: Small, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []
    draw = batches.Batches.draw

    def watched(self: batches.Batches, step: int, turn: int = 0) -> Batch:
        batch = draw(self, step, turn)
        seen.extend(batch.corruption.M)
        return batch

    def caches() -> dict[str, torch.Tensor]:
        return {file.stem: load_cache(file) for file in (project / "data/training_masks").glob("*.npz")}

    monkeypatch.setattr(batches, "Sampler", None)  # no fresh masks
    monkeypatch.setattr(batches.Batches, "draw", watched)
    params = small(masks__cached=True)
    first = weights(run(params, project))
    cached = {M.numpy().tobytes() for masks in caches().values() for M in masks}
    assert len(seen) == 8 * 8  # steps of as many images
    assert {M.numpy().tobytes() for M in seen} <= cached

    for family, masks in caches().items():
        save_cache(project / f"data/training_masks/{family}.npz", 1 - masks)
    storage.forget(run_name(params, project))
    other = weights(run(params, project))
    assert not {M.numpy().tobytes() for M in seen[8 * 8 :]} & cached
    assert not torch.equal(first["net/G/to_image.weight"], other["net/G/to_image.weight"])


def test_the_code_that_names_a_run_is_what_training_imports() -> None:
    """What the training loop imports is part of a run's identity: changed code never continues old runs."""
    import subprocess
    import sys

    script = (
        "import sys, roigan.training.loop; print(*sorted(m for m in sys.modules if m.startswith('roigan.')))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    rooms = {name.split(".")[1] for name in loaded.split()}
    assert rooms == {room.split("/")[0].removesuffix(".py") for room in CODE}


def test_training_needs_neither_ray_nor_mlflow() -> None:
    import subprocess
    import sys

    script = "import sys, roigan.launch; print([m for m in ('ray', 'mlflow', 'dvc') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


@pytest.mark.slow
def test_a_tiny_set_is_overfitted(small: Small, project: Path) -> None:
    """Trained on eight images with reconstruction losses, the filling comes close to the truth."""
    prepared = project / "data/prepared/train.npy"
    np.save(prepared, np.load(prepared)[:8])
    params = small(
        train__steps=250,
        train__flip=False,
        losses__l1=10.0,
        losses__info=0.0,  # asks for fillings that differ
        losses__adv_g=0.0,
        model__direct_controls=False,
        model__width=0.25,
        train__ema=0.9,
    )
    last = run(params, project)
    history = pd.read_csv(last / "history.csv")
    l1 = history["G/l1"] / 10
    assert l1.iloc[-1] < 0.4 * l1.iloc[0]  # a smooth continuation is already near the truth
    assert l1.iloc[-1] < 0.09  # of the whole raw G, which sees its surroundings' colours at 8x8 only


# --- The pieces ---------------------------------------------------------------------------------------


def test_pixels_survive_the_way_to_floats_and_back() -> None:
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, -1)
    assert np.array_equal(to_uint8(to_float(images)), images)


def test_an_epoch_may_be_a_number_of_steps(small: Small, project: Path) -> None:
    """`train.report_every` moves the reports and checkpoints, and changes nothing that is learnt."""
    rows: list[dict] = []
    last = run(small(train__report_every=5), project, rows)
    assert [row["step"] for row in rows] == [5, 8]
    other = run(small(), project)
    assert all(torch.equal(a, weights(other)[key]) for key, a in weights(last).items())


def test_a_long_way_to_a_report_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line after the first few steps, then one a minute by their speed, and none where a report is near."""
    began = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: began)
    far, near = Progress(1000, 100, 16), Progress(1000, 100, 16)
    monkeypatch.setattr(time, "monotonic", lambda: began + 8 * 3.0)
    assert [step for step in range(101, 200) if far.due(step, 200)] == [108, 120, 140, 160, 180]
    assert not any(near.due(step, 120) for step in range(101, 120))
    assert far.line(1, 108, {}, far.rate(108)) == "epoch 1  step 108/1000  5.3 images/s  ETA 00:44:38"


def test_a_day_is_hours() -> None:
    assert (clock(59.6), clock(90061), clock(-1)) == ("00:01:00", "25:01:01", "00:00:00")


def test_every_epoch_shows_every_image_once_in_another_order() -> None:
    order = Shuffled(12, 4, seed=0)
    epochs = [torch.cat([order.indices(3 * e + i) for i in range(3)]) for e in range(2)]
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(12))
    assert epochs[0].tolist() != epochs[1].tolist()


def test_learning_rates_fall_at_the_end(small: Small) -> None:
    train = small(train__steps=100, train__decay=0.25).train
    assert [remaining(step, train) for step in (0, 75, 80, 99)] == [1, 1, 0.8, 0.04]
    assert remaining(99, train.model_copy(update={"decay": 0.0})) == 1


def test_draws_do_not_depend_on_the_ranks_or_on_each_other() -> None:
    whole, half = StepRandom(0, 5, 8), StepRandom(0, 5, 8, slice(4, 8))
    whole.uniform("something else", 3)
    assert torch.equal(whole.normal("z0", 7)[4:], half.normal("z0", 7))
    assert not torch.equal(StepRandom(0, 6, 8).normal("z0", 7), whole.normal("z0", 7))
    assert not torch.equal(StepRandom(1, 5, 8).normal("z0", 7), whole.normal("z0", 7))
