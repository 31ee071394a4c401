"""A project may be moved, copied, renamed and made read-only: nothing is lost, nothing else touched."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient, artifacts

from roigan.errors import UserError
from roigan.files import paths
from roigan.systems.model import Model
from roigan.tracking import promotion, registry, runs
from roigan.tracking.places import here, local, relative
from roigan.tracking.store import store_uri
from tests.test_tracking import PARAMS, train

ROOT = Path(__file__).parents[1]
ODD = ["what?", "50%", "a#b", "50%25 & ü x", "c:d;e@f'g"]
LOOKS = """
import sys
from roigan.systems.model import Model
from roigan.tracking import promotion, registry
print(registry.model_table()["version"].tolist(), len(promotion.history("roigan")))
print(Model.load(registry.download(registry.find_version("models:/roigan@candidate"))).sha256)
"""


def project(folder: Path, database: Path) -> Path:
    """A project with a trained, registered model."""
    folder.mkdir()
    os.chdir(folder)
    (folder / ".roigan").mkdir()
    shutil.copy(database, folder / ".roigan")
    shutil.copy(ROOT / "params.yaml", folder)
    train()
    promotion.promote(registry.register(PARAMS), "by hand", over=None)
    return folder


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # and back at the end
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)


def state(folder: Path) -> dict[str, str]:
    """Every file of a folder with the hash of its bytes."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def used(folder: Path) -> str:
    """Work with the registered model in a folder; returns the weights that are found."""
    os.chdir(folder)
    found = registry.download(registry.find_version("models:/roigan@candidate"))
    assert found.is_relative_to(folder)
    run_id = runs.start_run(PARAMS, "f00d")
    runs.log_artifacts(run_id, [paths.HISTORY], "again")
    registry.register(PARAMS)
    return Model.load(found).sha256


def stored(folder: Path) -> list[str]:
    """All text of a project's database."""
    with sqlite3.connect(folder / ".roigan/mlflow.db") as opened:
        return list(opened.iterdump())


def test_a_project_is_moved_copied_renamed_and_looked_at(tmp_path: Path, database: Path) -> None:
    first = project(tmp_path / "first", database)
    sha256 = Model.load(paths.MODEL).sha256
    assert not [line for line in stored(first) if "artifacts" in line and str(tmp_path) in line]

    moved = first.rename(tmp_path / "moved")
    assert used(moved) == sha256

    before = state(moved)
    copy = Path(shutil.copytree(moved, tmp_path / "copy"))
    assert used(copy) == sha256
    os.chdir(copy)
    train(seed=1)
    assert str(registry.register(PARAMS).version) == "2"
    assert state(moved) == before

    shutil.rmtree(moved)
    for name in ODD:
        copy = copy.rename(tmp_path / name)
        assert used(copy) == Model.load(copy / paths.MODEL).sha256
        assert MlflowClient(store_uri()).search_registered_models()[0].name == "roigan"
        assert [path.name for path in tmp_path.iterdir()] == [name]  # no database beside it

    before, looked = state(copy), look_read_only(copy)
    if looked is None:
        pytest.skip("no way here to make a folder read-only for a process: neither a mount nor another user")
    assert looked.stdout.splitlines() == ["[1, 2] 1", Model.load(copy / paths.MODEL).sha256]
    assert state(copy) == before


def look_read_only(folder: Path) -> subprocess.CompletedProcess[str] | None:
    """Look at the registry from a process that cannot write to the folder; None where that cannot be had."""
    look = [sys.executable, "-c", LOOKS]
    given = {
        "cwd": folder,
        "env": os.environ | {"PYTHONPATH": str(ROOT)},
        "capture_output": True,
        "text": True,
    }
    mount = 'mount --bind "$PWD" "$PWD" && mount -o remount,bind,ro "$PWD" && cd "$PWD"'
    try:
        mounted = subprocess.run(["unshare", "-m", "sh", "-c", f"{mount} && ! touch x"], **given)
    except OSError:
        mounted = None
    if mounted and mounted.returncode == 0:
        done = subprocess.run(["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "-", *look], **given)
    elif os.getuid():
        try:
            for path in (folder / ".roigan", *(folder / ".roigan").rglob("*")):
                path.chmod(0o555 if path.is_dir() else 0o444)
            done = subprocess.run(look, **given)
        finally:
            for path in (folder / ".roigan", *(folder / ".roigan").rglob("*")):
                path.chmod(0o755 if path.is_dir() else 0o644)
    else:
        return None
    assert done.returncode == 0, done.stderr
    return done


def test_places_of_an_older_version_are_taken_along(tmp_path: Path, database: Path) -> None:
    """They were absolute; the project has been copied since, and the first one is still there."""
    first = project(tmp_path / "first", database)
    for folder in (first, Path(shutil.copytree(first, tmp_path / "copy"))):
        with sqlite3.connect(folder / ".roigan/mlflow.db") as opened:
            for table, column in (
                ("experiments", "artifact_location"),
                ("runs", "artifact_uri"),
                ("model_versions", "source"),
                ("model_versions", "storage_location"),
            ):
                opened.execute(
                    f"UPDATE {table} SET {column} = ? || {column} WHERE {column} LIKE '.roigan/%'",
                    [f"{first.as_uri()}/"],
                )
    before = state(first)
    os.chdir(tmp_path / "copy")
    found = registry.download(
        registry.find_version("models:/roigan@candidate")
    )  # though nothing is written yet
    assert found.is_relative_to(tmp_path / "copy")
    used(tmp_path / "copy")
    assert state(first) == before
    assert not [line for line in stored(tmp_path / "copy") if f"{first}/.roigan" in line]


def test_files_that_are_gone_or_damaged_are_made_anew(tmp_path: Path, database: Path) -> None:
    project(tmp_path / "first", database)
    version = registry.find_version("roigan@candidate")
    folder = registry.download(version)
    for harm in (lambda: shutil.rmtree(folder), lambda: next(folder.glob("*.safetensors")).write_bytes(b"x")):
        harm()
        assert str(registry.register(PARAMS).version) == str(version.version)
        assert Model.load(registry.download(version)).sha256 == version.tags["sha256"]


def test_mlflow_itself_finds_the_files(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the project's folder, as the documentation has it."""
    project(tmp_path / "first", database)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///.roigan/mlflow.db")
    found = artifacts.download_artifacts("models:/roigan@candidate", dst_path=str(tmp_path / "fetched"))
    assert (Path(found) / "MLmodel").is_file()


@pytest.mark.parametrize("name", ["plain", *ODD])
def test_places_are_there_and_back(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    for inside in (".roigan/mlartifacts/1", "mlruns/0", f"runs of {name}/1"):
        place = (folder / inside).as_uri()
        assert not relative(place).startswith(("/", "file:"))
        assert local(here(relative(place))) == folder / inside
    for elsewhere in ("s3://bucket/1", "mlflow-artifacts:/1", (tmp_path / "other?").as_uri()):
        assert relative(elsewhere) == here(elsewhere) == elsewhere


def test_a_deleted_experiment_comes_with_advice(tmp_path: Path, database: Path) -> None:
    project(tmp_path / "first", database)
    client = MlflowClient(store_uri())
    client.delete_experiment(client.get_experiment_by_name(PARAMS.register_.experiment).experiment_id)
    with pytest.raises(
        UserError, match=r"is deleted in MLflow; .*experiments restore --experiment-id 1"
    ) as said:
        runs.start_run(PARAMS, "beef")
    assert "\n" not in str(said.value)


@pytest.mark.parametrize("copied", [False, True])
def test_an_environment_of_another_place_is_made_anew(tmp_path: Path, copied: bool) -> None:
    """`make repro` after a move: the environment's commands carry the old path."""
    first = tmp_path / "first"
    (first / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts/uv", first / "scripts")
    (first / ".venv/bin").mkdir(parents=True)
    (first / ".venv/pyvenv.cfg").touch()
    (first / ".venv/bin/dvc").write_text(f"#!{first}/.venv/bin/python\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/uv").write_text("#!/bin/sh\n")
    (tmp_path / "bin/uv").chmod(0o755)
    environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}

    def heal(folder: Path) -> bool:
        subprocess.run([folder / "scripts/uv", "run"], check=True, env=environment, capture_output=True)
        return not (folder / ".venv").exists()

    assert not heal(first)
    other = Path(shutil.copytree(first, tmp_path / "other")) if copied else first.rename(tmp_path / "other")
    assert heal(other)
    assert (first / ".venv").exists() == copied
