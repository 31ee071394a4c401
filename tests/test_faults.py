"""What docs/faults.md says of one machine: cut checkpoints, full disks, half-written files; and the table."""

from __future__ import annotations

import errno
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from pipelines import train as stage
from roigan.config import Params
from roigan.errors import UserError, exit_on_user_error
from roigan.files import tensors as weights
from roigan.launch.identity import run_name
from roigan.launch.storage import forget
from roigan.launch.training import launch
from tests.conftest import ROOT, Small


class Killed(BaseException):
    """What SIGKILL is to a process: nothing after it runs."""


@pytest.fixture
def project(prepared: Path, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the prepared project, as the current folder."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    (tmp_path / ".roigan").mkdir()
    shutil.copy(database, tmp_path / ".roigan")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def run(params: Params, project: Path, die_after: int | None = None) -> tuple[list[int], Path]:
    """Train in this process: the steps that were reported, and the last checkpoint."""
    steps: list[int] = []

    def on_report(row: dict) -> None:
        steps.append(row["step"])
        if die_after and len(steps) == die_after:
            raise Killed

    return steps, launch(params, project, run_name(params, project), on_report)


def interrupted(params: Params, project: Path) -> list[Path]:
    """The checkpoints, the newest first, of a run that was killed after two of three epochs."""
    with pytest.raises(Killed):
        run(params, project, die_after=2)
    found = sorted((project / ".roigan/runs" / run_name(params, project)).glob("checkpoint-*"), reverse=True)
    assert len(found) == 2
    return found


def cut(path: Path) -> None:
    """As a disk leaves a file that was being written when the power went."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


# --- Checkpoints --------------------------------------------------------------------------------------

DAMAGES = {
    "tensors cut": (lambda folder: cut(folder / "state.safetensors"), "state.safetensors is not what was"),
    "state of garbage": (
        lambda folder: (folder / "state.json").write_text("{"),
        "state.json is not what was",
    ),
    "model cut": (
        lambda folder: cut(folder / "model/generator.safetensors"),
        "model/generator.safetensors is not",
    ),
    "a file missing": (lambda folder: (folder / "history.csv").unlink(), "history.csv is missing"),
    "never finished": (lambda folder: (folder / "files.json").unlink(), "files.json is missing"),
    "list of garbage": (lambda folder: (folder / "files.json").write_bytes(b"\xff["), "files.json cannot be"),
}


@pytest.fixture(scope="module")
def half_way(prepared: Path, small: Small, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A project whose training was killed after two of three epochs; and the weights it would have had."""
    folder = tmp_path_factory.mktemp("half_way")
    shutil.copytree(prepared, folder, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        _, last = run(small(), folder)
        expected = load_file(last / "state.safetensors")
        forget(run_name(small(), folder))
        interrupted(small(), folder)
    return folder, expected


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_named_and_the_one_before_continued(
    damage: str,
    half_way: tuple[Path, dict[str, torch.Tensor]],
    small: Small,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, expected = half_way
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    harm, complaint = DAMAGES[damage]
    harm(tmp_path / ".roigan/runs" / run_name(small(), tmp_path) / "checkpoint-00000006")
    steps, last = run(small(), tmp_path)
    said = [line for line in capsys.readouterr().out.splitlines() if "damaged" in line]
    assert len(said) == 1
    assert said[0].startswith(f"checkpoint-00000006 is damaged ({complaint}")
    assert steps == [6, 8]  # one epoch is repeated
    weights = load_file(last / "state.safetensors")
    assert all(torch.equal(weights[key], expected[key]) for key in expected)


def test_where_all_checkpoints_are_damaged_training_starts_afresh(
    half_way: tuple[Path, dict[str, torch.Tensor]],
    small: Small,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(half_way[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path / ".roigan/runs" / run_name(small(), tmp_path)).iterdir():
        cut(folder / "state.safetensors")
    assert run(small(), tmp_path)[0] == [3, 6, 8]


def test_a_last_checkpoint_that_is_lost_is_not_replaced_by_an_older_one(small: Small, project: Path) -> None:
    name = run_name(small(), project)

    def on_report(row: dict) -> None:
        if row["step"] == 8:
            cut(project / ".roigan/runs" / name / "checkpoint-00000008/model/generator.safetensors")

    with pytest.raises(UserError) as caught:
        launch(small(), project, name, on_report)
    assert str(caught.value) == (
        "the checkpoint of step 8 cannot be read here; the same command goes on from step 6"
    )
    steps, last = run(small(), project)
    assert steps == [8]
    assert last.name == "checkpoint-00000008"


# as a full tmpfs has them raised by safetensors and by Python
FULL = [
    SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    OSError(errno.ENOSPC, "No space left on device"),
]


@pytest.mark.parametrize("error", FULL, ids=lambda error: type(error).__name__)
def test_a_full_disk_is_one_line_and_costs_one_epoch(
    error: Exception,
    small: Small,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(*_: object) -> None:
        raise error

    with pytest.raises(UserError) as caught, monkeypatch.context() as patch:
        launch(
            small(),
            project,
            run_name(small(), project),
            lambda row: patch.setattr(weights, "save_file", full),  # the second checkpoint finds no room
        )
    assert "\n" not in str(caught.value)
    assert re.search(r"checkpoint of step 6 cannot be written \(.*No space left on device", str(caught.value))
    assert run(small(), project)[0] == [6, 8]
    assert "continuing at step 3 of 8" in capsys.readouterr().out


def test_what_has_arrived_of_a_checkpoint_on_a_full_disk_is_removed(
    small: Small, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyarrow import fs

    def copy(source: str, target: str, **_: object) -> None:
        shutil.copy(Path(source) / "state.safetensors", target)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fs, "copy_files", copy)
    with pytest.raises(UserError, match=r"step 3 cannot be written \(No space left"):
        run(small(), project)
    assert not list((project / ".roigan/runs").rglob("checkpoint-*"))


# --- What earlier stages wrote ------------------------------------------------------------------------

HALF_WRITTEN = {
    "data/prepared/train.npy": "prepare",
    "data/prepared/statistics.json": "prepare",
    "data/training_masks/ellipse.npz": "masks",
    "data/features/network.safetensors": "features",
    "data/features/config.json": "features",
}


@pytest.mark.parametrize("length", [0.0, 0.5])
@pytest.mark.parametrize("file", HALF_WRITTEN)
def test_a_half_written_file_is_named_with_what_to_do(
    file: str,
    length: float,
    small: Small,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = project / file
    path.write_bytes(path.read_bytes()[: int(length * path.stat().st_size)])
    monkeypatch.setattr(stage, "load_params", lambda: small(masks__cached=True))
    with pytest.raises(SystemExit) as ended:
        exit_on_user_error(stage.main)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert path.name in error.replace("config.json describes", "")
    assert f"dvc repro -f {HALF_WRITTEN[file]}" in error


# --- The table ----------------------------------------------------------------------------------------


def test_every_row_of_the_table_names_tests_that_exist() -> None:
    lines = (ROOT / "docs/faults.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| what |")]
    assert len(rows) > 10
    for row in rows:
        named = re.findall(r"`(test_\w+)::(test_\w+)`", row.split("|")[-2])
        assert named, row
        for file, test in named:
            assert f"def {test}(" in (ROOT / "tests" / f"{file}.py").read_text(), test
