"""dvc.yaml names the rooms of every stage, no more and no fewer: code makes stale what it decides."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

from roigan.launch.identity import CODE, SEARCH

ROOT = Path(__file__).parent.parent
FILES = ["dvc.yaml", "pipelines/tune/dvc.yaml"]
SYSTEM = yaml.safe_load((ROOT / "params.yaml").read_text())["model"]["system"]


def unit(path: str) -> str:
    """What of roigan a stage depends on whole: a room, or in `systems` a file or a paper's folder."""
    parts = path.removesuffix(".py").split("/")
    return "/".join(parts[: 2 if parts[0] == "systems" else 1])


STAGES = {
    stage: {
        unit(str(dep).removeprefix("roigan/").replace("${model.system}", SYSTEM))
        for dep in about["deps"]
        if str(dep).startswith("roigan/")
    }
    for file in FILES
    for stage, about in yaml.safe_load((ROOT / file).read_text())["stages"].items()
}
# These say what is wrong, where things lie, how they are written and where a training runs; params.yaml has
# dependencies of its own.
NO_RESULT = {"config", "errors", "files", "launch"}
# How a model is recorded decides nothing but its record; the stage that makes the record depends on it.
RECORD = {"tracking"}
CHOICE = "systems/by_name"  # it imports all papers; what a stage runs is that of `model.system`


def file_of(module: str) -> Path | None:
    """The file of a dotted module of roigan; None for a name inside one."""
    path = ROOT / module.replace(".", "/")
    files = [path.with_suffix(".py"), path / "__init__.py"]
    return next((file for file in files if file.is_file()), None)


def part(file: Path) -> str:
    """The unit that a file of roigan lies in."""
    return unit(str(file.relative_to(ROOT / "roigan")))


def imported(file: Path, seen: set[Path]) -> set[Path]:
    """The files of roigan that a file needs, wherever in it they are imported, and those that they need; not
    beyond rooms that decide no result."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(
            ("roigan", "pipelines")
        ):
            continue
        names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        for found in map(file_of, names):
            if not found or found in seen or part_of(found) in NO_RESULT:
                continue
            seen.add(found)
            if part_of(found) == CHOICE:
                for own in (ROOT / "roigan/systems" / SYSTEM).glob("*.py"):
                    seen.add(own)
                    imported(own, seen)
            else:
                imported(found, seen)
    return seen


def part_of(file: Path) -> str:
    """As `part`; "" for a file of pipelines/."""
    return part(file) if file.is_relative_to(ROOT / "roigan") else ""


def units(stage: str) -> set[str]:
    """What a stage needs of roigan, but for what decides no result; systems in one, where it names all."""
    seen: set[Path] = set()
    for file in STARTS[stage]:
        imported(file, seen)
    found = {part_of(file) for file in seen} - {"", "__init__", "systems/__init__", CHOICE}
    if "systems" in STAGES[stage]:
        found = {name.split("/")[0] for name in found}
    return found


# where reading begins; what `launch` runs is part of the stage, though where it runs is not
STARTS = {stage: [ROOT / f"pipelines/{stage}.py"] for stage in STAGES}
for stage in ("prior", "train"):
    STARTS[stage].append(ROOT / "roigan/launch/training.py")
STARTS["tune"] = [ROOT / "pipelines/tune/__main__.py", ROOT / "roigan/launch/tuning.py"]


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_depends_on_what_it_imports_and_on_nothing_else(stage: str) -> None:
    wanted = units(stage)
    assert STAGES[stage] == (wanted if stage == "register" else wanted - RECORD)


def test_training_and_search_depend_on_the_code_that_names_their_runs() -> None:
    code = {unit(room.format(system=SYSTEM)) for room in CODE} - NO_RESULT
    assert code == STAGES["train"]
    search = {name.split("/")[0] for name in code} | set(SEARCH)
    assert search == STAGES["tune"]


def test_the_test_can_fail_for_every_stage() -> None:
    """Every stage needs something of roigan: no two empty sets are compared."""
    assert all(units(stage) for stage in STAGES)
    assert all(STAGES[stage] for stage in STAGES)
