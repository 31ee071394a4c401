"""dvc.yaml names the code of every stage: a change of it makes results stale, wherever it is made."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

from roigan.launch.identity import CODE, SEARCH

ROOT = Path(__file__).parent.parent
FILES = ["dvc.yaml", "pipelines/tune/dvc.yaml"]
STAGES = {
    stage: {Path(dep).stem for dep in about["deps"] if str(dep).startswith("roigan/")}
    for file in FILES
    for stage, about in yaml.safe_load((ROOT / file).read_text())["stages"].items()
}
# These say what is wrong, where things lie, how they are written and who keeps them; params.yaml has
# dependencies of its own.
NO_RESULT = {"card", "config", "errors", "launch", "lineage", "paths", "tracking", "writing"}


def imported(file: Path, seen: set[str]) -> set[str]:
    """The modules and packages of roigan that a file needs, and those that they need."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("roigan"):
            continue
        first = (node.module or "").split(".")[1:2]
        for name in {*first} or {alias.name for alias in node.names}:
            if name in NO_RESULT | seen:
                continue
            seen.add(name)
            below = ROOT / "roigan" / name
            for each in below.glob("*.py") if below.is_dir() else [below.with_suffix(".py")]:
                imported(each, seen)
    return seen


@pytest.mark.parametrize("stage", sorted(STAGES.keys() - {"train", "tune"}))
def test_a_stage_depends_on_the_code_that_it_imports(stage: str) -> None:
    assert imported(ROOT / "pipelines" / f"{stage}.py", set()) <= STAGES[stage]


def test_training_and_search_depend_on_the_code_that_names_their_runs() -> None:
    assert set(CODE) - NO_RESULT <= STAGES["train"]
    assert set(CODE + SEARCH) - NO_RESULT <= STAGES["tune"]
