"""Presets: what is written, what stays, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from roigan.config import GLCICParams, PixelwiseParams, load_params, presets
from roigan.errors import UserError
from tests.conftest import ROOT


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "params.yaml", tmp_path))


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "presets").glob("*.yaml")))
def test_every_shipped_preset_applies(name: str, params: Path) -> None:
    assert presets.apply(ROOT / "presets" / name, params)
    load_params(params)
    assert presets.apply(ROOT / "presets" / name, params) == []  # once is enough


def test_comments_and_other_values_stay(params: Path) -> None:
    before = params.read_text()
    preset = params.with_name("preset.yaml")
    preset.write_text("losses: {gp: 2e-1}\n")
    assert presets.apply(preset, params) == ["losses.gp: 0.5 -> 0.2"]
    changed = [
        (old, new) for old, new in zip(before.splitlines(), params.read_text().splitlines(), strict=True)
        if old != new
    ]  # fmt: skip
    assert changed == [("  gp: 0.5", "  gp: 0.2")]
    assert "# 5 in the thesis" in params.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("losses: {gpp: 1}", "unknown key losses.gpp"),
        ("losses: {gp: -1}", "losses.gp"),
        ("- 1", "holds no blocks"),
        ("a: [", "not valid YAML"),
        ("losses: 1", "losses: "),
        ("model: x", "model: "),
    ],
)
def test_a_bad_preset_changes_nothing(text: str, message: str, params: Path) -> None:
    before = params.read_text()
    preset = params.with_name("preset.yaml")
    preset.write_text(text)
    with pytest.raises(UserError, match=message):
        presets.apply(preset, params)
    assert params.read_text() == before


def test_a_missing_preset(params: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.yaml does not exist"):
        presets.apply(Path("nowhere.yaml"), params)
    with pytest.raises(UserError, match="is a folder; name a file in it"):
        presets.apply(ROOT / "presets", params)


@pytest.mark.parametrize("data", ["mnist", "fashion"])
def test_the_presets_of_the_pixelwise_gan(data: str, params: Path) -> None:
    presets.apply(ROOT / "presets" / f"pixelwise-{data}.yaml", params)
    loaded = load_params(params)
    assert isinstance(loaded, PixelwiseParams)
    assert (loaded.model.width, loaded.data.image_size, loaded.masks.evaluate) == (1.0, 28, ["scattered"])


def test_another_system_brings_its_own_blocks(params: Path) -> None:
    changes = presets.apply(ROOT / "presets" / "glcic64.yaml", params)
    assert any(line.startswith("model: ") and "'glcic'" in line for line in changes)
    loaded = load_params(params)
    assert isinstance(loaded, GLCICParams)
    assert set(yaml.safe_load(params.read_text())["model"]) == {"system", "width"}
    text = params.read_text()
    assert "thesis' loss table" not in text
    assert "# 1.0 is the paper" in text
    assert "\n\npenalty:\n" in text  # what follows stays where it was
    before = params.read_text()
    line = r"model\.blend of roigan or conditional_dcgan, but .* describes glcic; go back to a .* of roigan"
    with pytest.raises(UserError, match=line) as caught:
        presets.apply(ROOT / "presets" / "thesis.yaml", params)
    assert "\n" not in str(caught.value)
    assert params.read_text() == before
    params.with_name("typo.yaml").write_text("model: {widht: 1.0}\n")
    with pytest.raises(UserError, match=r"unknown key model\.widht \(did you mean model\.width\?\)"):
        presets.apply(params.with_name("typo.yaml"), params)


def test_a_search_space_is_replaced_as_a_whole(params: Path) -> None:
    preset = params.with_name("preset.yaml")
    preset.write_text("tune: {space: {train.lr_g: {uniform: [1.0e-4, 1.0e-2]}}}\n")
    presets.apply(preset, params)
    assert list(load_params(params).tune.space) == ["train.lr_g"]
    assert load_params(params).tune.trials == load_params(ROOT / "params.yaml").tune.trials
