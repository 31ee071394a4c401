"""A model folder: what is saved comes back, damage is named, and outside the region not a bit changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from roigan.config import RoIGANModel
from roigan.corruptions.families import FAMILIES
from roigan.corruptions.sampling import sample
from roigan.errors import UserError
from roigan.systems.model import Model, save_model
from roigan.systems.roigan.networks import Generator

PARAMS = RoIGANModel(system="roigan", width=0.125)
CONFIG = {"system": "roigan", "image_size": 16, "channels": 3, "model": PARAMS.model_dump()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    save_model(folder, {"G": Generator(16, 3, PARAMS)}, CONFIG)
    return folder


def test_a_saved_model_completes_as_before(folder: Path) -> None:
    torch.manual_seed(0)
    G = Generator(16, 3, PARAMS)
    model = Model.load(folder)
    x, M = torch.rand(2, 3, 16, 16), sample("ellipse", 2, 16, torch.Generator().manual_seed(0))
    z = model.latent(2, torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = G(x, M, z).y
    assert torch.equal(model.complete(x, M, z), expected)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(FAMILIES)), st.integers(0, 2**31 - 1))
def test_outside_not_a_bit_changes_and_inside_something_does(folder: Path, family: str, seed: int) -> None:
    model, generator = Model.load(folder), torch.Generator().manual_seed(seed)
    x = torch.rand(2, 3, 16, 16, generator=generator) * 2 - 1
    M = sample(family, 2, 16, generator)
    y = model.complete(x, M, model.latent(2, generator))
    outside = (M == 0).expand_as(x)
    assert y[outside].numpy().tobytes() == x[outside].numpy().tobytes()
    assert not torch.equal(y, x)


def test_the_region_is_never_looked_at(folder: Path) -> None:
    """What is to be removed must not leak into the filling."""
    model, generator = Model.load(folder), torch.Generator().manual_seed(3)
    x, M = torch.rand(2, 3, 16, 16, generator=generator), sample("mixture", 2, 16, generator)
    z = model.latent(2, generator)
    other = torch.where(M > 0.5, torch.rand(2, 3, 16, 16, generator=generator), x)
    assert torch.equal(model.complete(x, M, z), model.complete(other, M, z))


def test_a_slider_keeps_the_noise_of_its_seed(folder: Path) -> None:
    model = Model.load(folder)
    c = torch.zeros(10)
    z = [model.latent(1, torch.Generator().manual_seed(5), c=value, k=[3] * 10) for value in (c, c + 1)]
    assert torch.equal(z[0][:, :146], z[1][:, :146])
    assert z[1][0, 146:156].tolist() == [1.0] * 10
    assert z[0][:, 156:].reshape(10, 10).argmax(1).tolist() == [3] * 10


def test_damage_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is missing"):
        Model.load(tmp_path)
    weights, config = (folder / name for name in ("generator.safetensors", "config.json"))
    (tmp_path / "config.json").write_text(config.read_text())
    (tmp_path / "generator.safetensors").write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(UserError, match="not the file"):
        Model.load(tmp_path)
    (tmp_path / "generator.safetensors").write_bytes(weights.read_bytes())
    wrong = json.loads(config.read_text()) | {"image_size": 32}
    (tmp_path / "config.json").write_text(json.dumps(wrong))
    with pytest.raises(UserError, match="holds no model that this version can read"):
        Model.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"image_size": "x"}, r"config\.json: image_size is 'x', but known are 16, 32, 64"),
        ({"image_size": 16.0}, r"image_size is 16\.0, but known"),
        ({"channels": 0}, r"channels is 0, but known are 1, 3"),
        ({"channels": True}, r"channels is True, but known are 1, 3"),
        ({"model": None}, r"config\.json: .*dictionary"),
        ({"model": PARAMS.model_dump() | {"width": 0.25}}, r"can read \(.*size mismatch"),
        ({"image_size": 32}, r"can read \(.*Missing key"),
    ],
)
def test_a_config_that_is_wrong_is_named(folder: Path, tmp_path: Path, change: dict, complaint: str) -> None:
    (tmp_path / "generator.safetensors").symlink_to(folder / "generator.safetensors")
    good = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(good | change))
    with pytest.raises(UserError, match=complaint) as caught:
        Model.load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["image_size", "channels", "model", "weights_sha256"])
def test_a_config_that_lacks_something_is_named(folder: Path, tmp_path: Path, key: str) -> None:
    (tmp_path / "generator.safetensors").symlink_to(folder / "generator.safetensors")
    config = json.loads((folder / "config.json").read_text())
    del config[key]
    for content in (config, [config], "x", None):
        (tmp_path / "config.json").write_text(json.dumps(content))
        with pytest.raises(UserError, match=r"config\.json: \w+ is missing"):
            Model.load(tmp_path)


def test_a_release_has_half_the_size_and_nearly_the_same_pixels(folder: Path, tmp_path: Path) -> None:
    model = Model.load(folder)
    save_model(tmp_path / "released", {"G": model.G}, model.config, torch.bfloat16)
    released = Model.load(tmp_path / "released")
    sizes = [(place / "generator.safetensors").stat().st_size for place in (folder, tmp_path / "released")]
    assert sizes[1] < 0.6 * sizes[0]
    assert released.sha256 != model.sha256
    x, M = torch.rand(2, 3, 16, 16), sample("ellipse", 2, 16, torch.Generator().manual_seed(0))
    z = model.latent(2, torch.Generator().manual_seed(1))
    assert (released.complete(x, M, z) - model.complete(x, M, z)).abs().max() < 0.1
