"""The floors of the house: a room imports only from rooms below it, and Ray and MLflow have one room each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROIGAN = Path(__file__).parent.parent / "roigan"
FLOORS = [
    "cli", "apps", "launch", "tracking", "report", "tuning", "training", "evaluation", "inference", "systems",
    "game", "nets", "losses", "features", "datasets", "image_io", "corruptions", "images", "config", "files",
    "errors",
]  # fmt: skip
"""Top floor first."""
FILES = sorted(ROIGAN.rglob("*.py"))
ONLY_IN = {"ray": "launch", "mlflow": "tracking"}


def modules(file: Path) -> Iterator[str]:
    """The dotted modules that a file imports, wherever in it; `from roigan import x` counts as roigan.x."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"roigan.{alias.name}" for alias in node.names]
            yield from names if node.module == "roigan" else [node.module]


def room(file: Path) -> str:
    return file.relative_to(ROIGAN).parts[0].removesuffix(".py")


def test_every_room_has_a_floor() -> None:
    assert {room(file) for file in FILES} - {"__init__"} == set(FLOORS)


def test_only_two_files_lie_flat() -> None:
    assert {path.name for path in ROIGAN.glob("*.py")} == {"__init__.py", "errors.py", "game.py"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROIGAN)))
def test_a_room_imports_from_rooms_below_it(file: Path) -> None:
    mine = room(file)
    others = {name.split(".")[1] for name in modules(file) if name.startswith("roigan.")} - {mine}
    above = {other for other in others if FLOORS.index(other) <= FLOORS.index(mine)}
    assert not above, f"{mine} lies below {above}"


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_has_one_room(library: str) -> None:
    users = {room(file) for file in FILES for name in modules(file) if name.split(".")[0] == library}
    assert users == {ONLY_IN[library]}


@pytest.mark.parametrize("file", [file for file in FILES if file.name == "__init__.py"], ids=str)
def test_the_door_of_a_room_says_what_it_is_for(file: Path) -> None:
    assert ast.get_docstring(ast.parse(file.read_text()))
    if room(file) != "config":  # the one door that hands out names: every room reads parameters
        assert not [name for name in modules(file) if name.startswith("roigan")]
