"""What must pass before a change lands is written down twice, for two kinds of users, and is the same."""

from __future__ import annotations

import yaml

from tests.conftest import ROOT


def test_pre_commit_runs_what_continuous_integration_runs() -> None:
    script = (ROOT / "scripts/check").read_text().splitlines()
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == [line for line in script if "run" in line or "make" in line]
