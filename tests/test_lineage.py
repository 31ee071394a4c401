"""Lineage: which commit a model is said to come from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from roigan.config import load_params
from roigan.tracking.lineage import lineage
from tests.conftest import ROOT


def test_a_commit_is_dirty_by_what_people_change_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = load_params(ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    assert "git.commit" not in lineage(params)  # outside version control
    for file in ("dvc.lock", "reports/metrics.json", "code.py"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("{}")
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    for command in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "--message=first"]):
        subprocess.run(["git", *command], check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    for file in ("dvc.lock", "reports/metrics.json"):
        (tmp_path / file).write_text("written: {}")
    assert lineage(params)["git.commit"] == head.strip()
    (tmp_path / "code.py").write_text("changed")
    assert lineage(params)["git.commit"] == head.strip() + "-dirty"
