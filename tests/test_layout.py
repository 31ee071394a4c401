"""params.yaml is written by two: `dvc exp run -S` and `roigan params`, in any order, for every key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dvc.exceptions import InvalidArgumentError
from dvc.utils.hydra import apply_overrides

from roigan.config.layout import comments_above
from roigan.config.presets import apply
from roigan.config.reading import read_commented, read_yaml, write_yaml

SHIPPED = (Path(__file__).parents[1] / "params.yaml").read_text()
VALUES = {
    "[]": [],
    "[5, 6]": [5, 6],
    "[{a: 1}, {b: [2]}]": [{"a": 1}, {"b": [2]}],
    "null": None,
    "{}": {},
    "41": 41,
}


def leaves(block: dict[str, Any], prefix: str = "") -> list[str]:
    """Keys whose values DVC may replace by one of another kind."""
    keys = []
    for key, value in block.items():
        if prefix != "tune.space.":  # of names with dots, which DVC has no way to write
            keys += leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
    return keys


KEYS = leaves(read_yaml(SHIPPED))


def valued(content: Any, key: str) -> Any:
    for part in key.split("."):
        content = content[part]
    return content


def ours(path: Path) -> None:
    """What `roigan params` does to the file, without its check of the values."""
    before = read_yaml(path.read_text())
    path.write_text(write_yaml(read_commented(path.read_text())))
    assert read_yaml(path.read_text()) == before


LISTS = [key for key in KEYS if isinstance(valued(read_yaml(SHIPPED), key), list)]
SCALARS = [key for key in KEYS if key not in LISTS]


@pytest.mark.parametrize("first", ["[5, 6]", "[{a: 1}, {b: [2]}]", "null", "41"])
def test_every_list_takes_every_value_one_after_the_other(first: str, tmp_path: Path) -> None:
    """All at once: an empty list, which has no place of its own in block style, after each kind of value."""
    path = tmp_path / "params.yaml"
    path.write_text(SHIPPED)
    for number, text in enumerate([first, "[]", first, "[]"]):
        apply_overrides(path, [f"{key}={text}" for key in LISTS])
        found = read_yaml(path.read_text())
        assert {key: valued(found, key) for key in LISTS} == dict.fromkeys(LISTS, VALUES[text])
        if number % 2:
            ours(path)


def test_every_other_key_takes_every_value_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(SHIPPED)
    for text in ("41", "null", "{}", "null", "41"):
        apply_overrides(path, [f"{key}={text}" for key in SCALARS])
        found = read_yaml(path.read_text())
        assert {key: valued(found, key) for key in SCALARS} == dict.fromkeys(SCALARS, VALUES[text])
        ours(path)


@pytest.mark.parametrize(
    "key", [*LISTS, *(key for key in SCALARS if valued(read_yaml(SHIPPED), key) is None)]
)
def test_a_list_is_emptied_after_another_key_was_set(key: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(SHIPPED)
    apply_overrides(path, ["masks.count=41"])
    apply_overrides(path, [f"{key}=[]"])
    apply_overrides(path, ["masks.count=42"])
    ours(path)
    content = read_yaml(path.read_text())
    assert (valued(content, key), content["masks"]["count"]) == ([], 42)


def test_a_preset_may_empty_a_list_of_a_file_with_comments_behind_its_keys(tmp_path: Path) -> None:
    params, preset = tmp_path / "params.yaml", tmp_path / "preset.yaml"
    params.write_text(SHIPPED.replace("\ngates:\n", "\ngates:     # all must hold\n"))
    preset.write_text("gates: []\n")
    assert len(apply(preset, params)) == 1
    assert apply(preset, params) == []
    assert read_yaml(params.read_text())["gates"] == []
    assert "# all must hold" in params.read_text()


def test_comments_stand_above_their_keys() -> None:
    assert comments_above(SHIPPED) == SHIPPED
    assert comments_above("a:  # one\n  b: 1 # two\n") == "# one\na:\n  # two\n  b: 1\n"
    for text in ("a: 'x # y'\n", "a: |\n  b: 1 # c\n", 'a: "b: # c"\n'):  # no comments at all
        assert read_yaml(write_yaml(read_commented(text))) == read_yaml(text)


def test_what_dvc_refuses_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(SHIPPED)
    with pytest.raises(InvalidArgumentError):
        apply_overrides(path, ["train=[1]"])
    assert path.read_text() == SHIPPED
