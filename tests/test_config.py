"""params.yaml: typed, frozen, and every mistake named in one line."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from roigan.config import Params, changed, load_params, parse_params
from roigan.errors import UserError

ROOT = Path(__file__).parent.parent


def content() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "params.yaml").read_text())


def test_the_shipped_parameters_are_valid_and_frozen() -> None:
    params = load_params(ROOT / "params.yaml")
    with pytest.raises(Exception, match="frozen"):
        params.train.steps = 3


def test_every_parameter_stands_in_the_file() -> None:
    """A default that stands in the code alone would be no dependency of any stage."""

    def names(block: dict[str, Any], path: str = "") -> set[str]:
        return {
            name
            for key, value in block.items()
            for name in (names(value, f"{path}{key}.") if isinstance(value, dict) else [f"{path}{key}"])
        }

    every = load_params(ROOT / "params.yaml").model_dump(mode="json", by_alias=True)
    every["tune"].pop("space")  # each of its numbers is given in one of several ways
    assert names(every) <= names(content())


@pytest.mark.parametrize(
    ("block", "key", "value", "complaint"),
    [
        ("train", "lr", 1e-4, r"unknown key train\.lr \(did you mean train\.lr_[gd]\?\)"),
        ("trane", None, {}, r"unknown key trane \(did you mean train\?\)"),
        ("train", "steps", "many", r"train\.steps"),
        ("train", "steps", 0, r"train\.steps"),
        ("train", "steps", 1.5, r"train\.steps"),
        ("train", "use_gpu", 1, r"train\.use_gpu"),
        ("train", "batch_size", 15, r"batch_size 15 does not divide among 2 workers"),
        ("train", "min_workers", 3, r"min_workers 3 is more than num_workers 2"),
        ("losses", "gp", -1.0, r"losses\.gp"),
        ("losses", "gp", float("nan"), r"losses\.gp"),
        ("data", "source", "imagenet", r"data\.source"),
        ("data", "split", [0.5, 0.1, 0.1], r"split must be three shares"),
        ("model", "system", "stylegan", r"model\.system: 'stylegan' is unknown; known are roigan"),
        ("model", "system", 3, r"model\.system"),
        ("model", "slider", 3, r"unknown key model\.slider \(did you mean model\.sliders\?\)"),
        ("data", "image_size", 28, r"data\.image_size: roigan is built for 16, 32, 64, 128, 256 \(got 28\)"),
        ("train", "constraints", 1.0, r"train\.constraints"),
        ("masks", "train", {"ellipse": 0}, r"positive weight"),
        ("masks", "evaluate", ["blob"], r"masks\.evaluate"),
        ("gates", None, [{"metric": "fid", "mask": "ellipse"}], r"either `below` or `above`"),
        ("gates", None, [{"metric": "fid", "mask": "border", "below": 1.0}], r"not in masks\.evaluate"),
    ],
)
def test_a_mistake_is_named_in_one_line(block: str, key: str | None, value: Any, complaint: str) -> None:
    bad = content()
    if key is None:
        bad[block] = value
    else:
        bad[block][key] = value
    with pytest.raises(UserError, match=complaint) as caught:
        parse_params(bad)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("system", "losses", "complaint"),
    [
        ("pixelwise", {"lam": -1.0}, r"losses\.lam"),
        ("pixelwise", {"gp": 1.0}, r"unknown key losses\.gp"),
    ],
)
def test_mistakes_in_another_system_are_named(system: str, losses: dict[str, float], complaint: str) -> None:
    bad = content()
    bad["model"], bad["losses"] = {"system": system, "width": 1.0}, losses
    bad["data"]["image_size"] = 32
    with pytest.raises(UserError, match=complaint):
        parse_params(bad)


def test_a_gan_has_no_penalty_on_pixels_that_it_is_not_told() -> None:
    bad = content()
    bad["model"], bad["losses"] = {"system": "pixelwise", "width": 1.0, "condition": False}, {"lam": 0.1}
    bad["data"]["image_size"] = 32
    with pytest.raises(UserError, match=r"losses\.lam is 0\.1, but model\.condition is false"):
        parse_params(bad)


def test_a_choice_of_kinds_names_them_all() -> None:
    wrong = content()
    wrong["gates"][0]["below"] = "fmn"
    with pytest.raises(UserError, match=r"gates\.0\.below: .*number.* or 'fmm', .*'champion'.*got 'fmn'"):
        parse_params(wrong)


def test_a_key_below_a_number_is_named() -> None:
    with pytest.raises(UserError, match=r"losses\.fm\.x: there is no block fm"):
        changed(load_params(ROOT / "params.yaml"), {"losses.fm.x": 1})


@pytest.mark.parametrize("written", ["3e-4", "3E-4", "3.0e-4", "0.0003"])
def test_numbers_as_people_write_them(tmp_path: Path, written: str) -> None:
    text = re.sub(r"lr_g: \S+", f"lr_g: {written}", (ROOT / "params.yaml").read_text())
    (tmp_path / "params.yaml").write_text(text)
    assert load_params(tmp_path / "params.yaml").train.lr_g == 3e-4


def test_missing_and_malformed_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        load_params(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("data: [unclosed")
    with pytest.raises(UserError, match="not valid YAML"):
        load_params(tmp_path / "params.yaml")


def test_a_key_that_stands_twice_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("train: {}\ntrain: {}\n")
    with pytest.raises(UserError, match=r'not valid YAML: .*duplicate key "train"') as caught:
        load_params(tmp_path / "params.yaml")
    assert "\n" not in str(caught.value)


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(list(Params.model_fields)) | st.text(max_size=5), inner, max_size=3
            )
        ),
        max_leaves=8,
    )
)
def test_garbage_is_a_user_error_and_nothing_else(garbage: Any) -> None:
    with pytest.raises(UserError) as caught:
        parse_params(garbage)
    assert "\n" not in str(caught.value)


LEAVES = [(block, key) for block, values in content().items() if isinstance(values, dict) for key in values]
EXACT = st.integers(-(2**53), 2**53)  # as floats, too
ANYTHING = st.none() | st.booleans() | EXACT | st.floats() | st.text(max_size=5) | st.lists(st.floats(0, 1))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(LEAVES), ANYTHING)
def test_one_changed_value_is_taken_as_it_is_or_refused_by_name(leaf: tuple[str, str], value: Any) -> None:
    block, key = leaf
    changed = content()
    changed[block][key] = value
    refusal = ""
    try:
        params = parse_params(changed)
    except UserError as error:
        refusal = str(error)
    if refusal:
        assert block in refusal
        assert "\n" not in refusal
        return
    dumped = params.model_dump(mode="json", by_alias=True)
    assert dumped[block][key] == value
    assert parse_params(dumped) == params  # what is logged and hashed is what was read
    assert parse_params(yaml.safe_load(yaml.safe_dump(dumped))) == params


def test_the_fingerprint_follows_the_named_blocks_only() -> None:
    a, changed = parse_params(content()), content()
    changed["evaluate"]["seed"] = 5
    b = parse_params(changed)
    assert a.fingerprint() != b.fingerprint()
    assert a.fingerprint("model", "train") == b.fingerprint("model", "train")


def test_reading_parameters_needs_no_torch() -> None:
    """Commands that only read params.yaml answer at once."""
    loads = "import sys, roigan.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loads], cwd=ROOT).returncode == 0
