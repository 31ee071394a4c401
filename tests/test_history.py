"""Past states and priors: what a training keeps of itself, and what another is trained on top of."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from roigan.config import Params, prior_params
from roigan.errors import UserError
from roigan.launch.identity import run_name
from roigan.launch.storage import storage_of
from roigan.launch.training import launch
from roigan.systems.dcgan.system import DCGAN as System
from roigan.systems.interface import Given
from roigan.systems.states import check_states
from roigan.training.history import History, moments
from tests.conftest import DCGAN


@pytest.fixture
def project(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A prepared project of one's own, which is the current folder."""
    shutil.copytree(prepared, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


KEPT: dict[str, Any] = {**DCGAN, "train.history": {"states": 4}, "train.report_every": 3}


@pytest.mark.parametrize(("steps", "states", "at"), [(8, 4, [2, 4, 6, 8]), (10, 3, [3, 7, 10]), (5, 0, [])])
def test_states_lie_at_equal_distances(
    small: Callable[..., Params], steps: int, states: int, at: list[int]
) -> None:
    assert moments(small(train__steps=steps, train__history={"states": states}).train) == at


def test_more_states_than_steps_are_refused(small: Callable[..., Params]) -> None:
    with pytest.raises(UserError, match=r"states is 9, but there are only 8 steps"):
        moments(small(train__history={"states": 9}).train)


def test_too_much_is_refused_before_anything_is_trained(small: Callable[..., Params]) -> None:
    params = small(**DCGAN, train__history={"states": 8, "limit_mb": 1})
    nets = System(params, Given(None)).nets
    with pytest.raises(UserError, match=r"8 states take \d+ MB, limit_mb is 1; keep fewer"):
        History(params.train, nets)


class Killed(Exception):
    """Stands for SIGKILL."""


def run(params: Params, project: Path, die_after: int | None = None) -> Path:
    """Train; the folder of the past states."""

    def on_report(row: dict[str, Any]) -> None:
        if row["step"] == die_after:
            raise Killed

    name = run_name(params, project)
    last = launch(params, project, name, on_report)
    target = project / "states"
    storage_of(name).fetch_states(target)
    check_states(target, json.loads((last / "model/config.json").read_text())["states"])
    return target


def test_an_interrupted_run_has_the_same_past(
    small: Callable[..., Params], project: Path, tmp_path: Path
) -> None:
    params = small(**KEPT)
    before = {path.name: path.read_bytes() for path in sorted(run(params, project).iterdir())}
    assert list(before) == [f"{step:08d}.safetensors" for step in (2, 4, 6, 8)]
    storage_of(run_name(params, project)).clear()
    with pytest.raises(Killed):
        run(params, project, die_after=6)
    assert {path.name: path.read_bytes() for path in sorted(run(params, project).iterdir())} == before


def test_the_last_state_is_the_network_itself_not_its_average(
    small: Callable[..., Params], project: Path
) -> None:
    params = small(**KEPT)
    folder = run(params, project)
    last = load_file(folder / "00000008.safetensors")
    assert {key.split("/")[0] for key in last} == {"G", "D"}
    name = run_name(params, project)
    newest = storage_of(name).newest(project / "scratch", print)
    assert newest
    model = {
        name: load_file(newest / "model" / f"{name}.safetensors") for name in ("generator", "discriminator")
    }
    assert all(torch.equal(value, last[f"D/{key}"]) for key, value in model["discriminator"].items())
    assert any(not torch.equal(value, last[f"G/{key}"]) for key, value in model["generator"].items())


def test_a_damaged_state_is_named(small: Callable[..., Params], project: Path) -> None:
    params = small(**KEPT)
    folder = run(params, project)
    (folder / "00000004.safetensors").write_bytes(b"x")
    states = [{"step": 4, "sha256": "0"}]
    with pytest.raises(UserError, match="the state of step 4 is missing or damaged"):
        check_states(folder, states)


# --- Priors ---


def test_a_prior_has_a_system_of_its_own_and_the_rest_of_params_yaml(small: Callable[..., Params]) -> None:
    model = DCGAN["model"]
    params = small(
        masks__train={"whole": 1},
        prior={"model": model, "train": {"steps": 5}},
        **{"model": model, "losses": {}},
    )
    prior = prior_params(params)
    assert prior is not None
    assert (prior.model.system, prior.train.steps, prior.train.batch_size) == ("dcgan", 5, 8)
    assert prior.prior is None
    assert prior_params(small()) is None


def test_mistakes_in_a_prior_are_named(small: Callable[..., Params]) -> None:
    with pytest.raises(UserError, match=r"prior\.data is not known; prior has losses, model, penalty, train"):
        prior_params(small(prior={"data": {}}))
    with pytest.raises(UserError, match=r"params\.yaml: prior: .*train\.steps"):
        prior_params(small(prior={"model": {"system": "glcic", "width": 1.0}, "train": {"steps": 0}}))


def test_the_stage_keeps_a_prior_that_is_still_what_would_be_trained(
    small: Callable[..., Params],
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from benchmarks.workspace import write
    from pipelines import prior
    from roigan.files import paths
    from roigan.systems.model import Model

    model = {"system": "glcic", "width": 0.125}
    write(project, small(prior={"model": model, "train": {"steps": 2}}))
    prior.main()
    first = Model.load(paths.PRIOR).sha256
    assert Model.load(paths.PRIOR).system == "glcic"
    written = (paths.PRIOR / "generator.safetensors").stat().st_mtime_ns
    prior.main()
    assert "is still that of run glcic-" in capsys.readouterr().out
    assert (paths.PRIOR / "generator.safetensors").stat().st_mtime_ns == written
    write(project, small(prior={"model": model, "train": {"steps": 3}}))
    prior.main()
    assert Model.load(paths.PRIOR).sha256 != first
    write(project, small())
    prior.main()
    assert [path.name for path in paths.PRIOR.iterdir()] == ["config.json"]
