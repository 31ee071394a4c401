"""dvc.yaml names the rooms of every stage, no more and no fewer: code makes stale what it decides."""

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
# These say what is wrong, where things lie, how they are written and where a training runs; params.yaml has
# dependencies of its own.
NO_RESULT = {"config", "errors", "files", "launch"}
# How a model is recorded decides nothing but its record; the stage that makes the record depends on it.
RECORD = {"tracking"}


def file_of(module: str) -> Path | None:
    """The file of a dotted module of roigan; None for a name inside one."""
    path = ROOT / module.replace(".", "/")
    files = [path.with_suffix(".py"), path / "__init__.py"]
    return next((file for file in files if file.is_file()), None)


def room(file: Path) -> str:
    """The room of roigan that a file lies in."""
    return file.relative_to(ROOT / "roigan").parts[0].removesuffix(".py")


def imported(file: Path, seen: set[Path]) -> set[Path]:
    """The files of roigan that a file needs, wherever in it they are imported, and those that they need; not
    beyond rooms that decide no result."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("roigan"):
            continue
        names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        for found in map(file_of, names):
            if found and found not in seen and room(found) not in NO_RESULT:
                seen.add(found)
                imported(found, seen)
    return seen


def rooms(stage: str) -> set[str]:
    """The rooms that a stage needs, but for those that decide no result."""
    seen: set[Path] = set()
    for file in STARTS[stage]:
        imported(file, seen)
    return {room(file) for file in seen} - {"__init__"}


# where reading begins; what `launch` runs is part of the stage, though where it runs is not
STARTS = {stage: [ROOT / f"pipelines/{stage}.py"] for stage in STAGES}
STARTS["train"].append(ROOT / "roigan/launch/training.py")
STARTS["tune"] = [ROOT / "pipelines/tune/__main__.py", ROOT / "roigan/launch/tuning.py"]


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_depends_on_the_rooms_that_it_imports(stage: str) -> None:
    wanted = rooms(stage)
    assert STAGES[stage] == (wanted if stage == "register" else wanted - RECORD)


def test_training_and_search_depend_on_the_rooms_that_name_their_runs() -> None:
    code, search = ({Path(room).stem for room in named} - NO_RESULT for named in (CODE, SEARCH))
    assert code == STAGES["train"]
    assert code | search == STAGES["tune"]
