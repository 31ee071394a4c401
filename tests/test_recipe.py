"""Recipes: masks as runs, regions in their order, and the command that replays them on folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from roigan.apps.recipe import Recipe, fill_regions, mask_of, read_recipe, runs_of
from roigan.apps.regions import Region
from roigan.cli import main as cli
from roigan.errors import UserError
from roigan.image_io.lossless import read_picture
from roigan.inference.inpaint import complete_picture
from roigan.systems.model import Model
from tests.served import box, file_of, region, save_small_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_model(tmp_path_factory.mktemp("model") / "small")


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return Model.load(folder)


def recipe_of(*regions: dict[str, Any], height: int = 40, width: int = 60) -> dict[str, Any]:
    about = {"name": "a.png", "sha256": "0" * 64, "height": height, "width": width}
    return {"roigan": 1, "picture": about, "regions": list(regions)}


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_runs_are_a_mask(height: int, width: int, data: st.DataObject) -> None:
    pixels = data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    mask = np.array(pixels).reshape(height, width)
    runs = runs_of(mask)
    np.testing.assert_array_equal(mask_of(runs, height, width), mask)
    assert sum(runs) == height * width
    assert 0 not in runs[1:]  # the shortest ones


def test_runs_of_a_known_mask() -> None:
    mask = np.array([[0, 1, 1], [1, 0, 0]], bool)
    assert runs_of(mask) == [1, 3, 2]
    assert runs_of(~mask) == [0, 1, 3, 2]
    with pytest.raises(UserError, match="add up to 6 pixels, but 2x2 pixels are 4"):
        mask_of([1, 3, 2], 2, 2)


def test_a_later_region_sees_the_earlier_filling(model: Model, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(file_of("RGB"))
    picture = read_picture(tmp_path / "a.png")
    first, second = box(40, 60, 5, 5, 12, 16), box(40, 60, 10, 15, 14, 20)
    regions = [
        Region(**region(model, first, seed=1, c=[1, 0, -1], k=[2])),
        Region(**region(model, second, seed=2)),
    ]
    models = {model.sha256: model}
    filled = fill_regions(models, picture, regions, 40, 60)
    once = complete_picture(model, picture, first, 1, [1, 0, -1], [2])
    np.testing.assert_array_equal(filled, complete_picture(model, once, second, 2))
    other = fill_regions(models, picture, regions[::-1], 40, 60)
    assert (np.asarray(other) != np.asarray(filled)).any()
    hidden = regions[0].model_copy(update={"shown": False})
    np.testing.assert_array_equal(
        fill_regions(models, picture, [hidden, regions[1]], 40, 60),
        complete_picture(model, picture, second, 2),
    )


def run(*words: str) -> None:
    arguments = cli.parser().parse_args(words)
    arguments.command(arguments)


def test_a_recipe_replays_on_a_folder(model: Model, folder: Path, tmp_path: Path, capsys: Any) -> None:
    mask = box(40, 60, 8, 9, 20, 30)
    (tmp_path / "r.json").write_text(json.dumps(recipe_of(region(model, mask, seed=3, c=[0.5], k=[1, 2]))))
    (tmp_path / "in").mkdir()
    for name, kind in (("a.png", "RGB"), ("b.png", "RGBA")):
        (tmp_path / "in" / name).write_bytes(file_of(kind))
    (tmp_path / "in" / "c.png").write_bytes(file_of("RGB", 41, 60))
    shared = ["--model", str(folder), "--image", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    with pytest.raises(UserError, match="1 of 3 pictures were not completed"):
        run("complete", "--recipe", str(tmp_path / "r.json"), *shared)
    assert "the mask is 60x40 pixels, the image 60x41" in capsys.readouterr().err
    Image.fromarray(mask).save(tmp_path / "mask.png")
    for name in ("a.png", "b.png"):
        one = ["--model", str(folder), "--image", str(tmp_path / "in" / name)]
        controls = ["--seed", "3", "--c", "0.5", "--k", "1,2"]
        alone = ["--mask", str(tmp_path / "mask.png"), "--out", str(tmp_path / name)]
        run("complete", *one, *alone, *controls)
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_what_a_recipe_must_not_be(model: Model, folder: Path, tmp_path: Path) -> None:
    good = recipe_of(region(model, box(40, 60, 1, 1, 5, 5)))
    file = tmp_path / "r.json"
    bad: list[tuple[Any, str]] = [
        ("{", "is no recipe: Invalid JSON"),
        (good | {"roigan": 2}, "roigan: Input should be 1"),
        (good | {"regions": []}, "regions: List should have at least 1"),
        (good | {"size": 3}, "size: Extra inputs are not permitted"),
        (recipe_of(good["regions"][0] | {"c": [float("nan")]}), "finite number"),
        (recipe_of(good["regions"][0] | {"runs": [-1, 2401]}), "greater than or equal to 0"),
    ]
    for content, complaint in bad:
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        with pytest.raises(UserError, match=complaint):
            read_recipe(file)
    with pytest.raises(UserError, match="does not exist"):
        read_recipe(tmp_path / "none.json")
    file.write_text(json.dumps(good))
    assert isinstance(read_recipe(file), Recipe)
    (tmp_path / "a.png").write_bytes(file_of("RGB"))
    shared = ["--image", str(tmp_path / "a.png"), "--out", str(tmp_path / "out.png"), "--recipe", str(file)]
    with pytest.raises(UserError, match="a recipe has its own seeds"):
        run("complete", "--model", str(folder), *shared, "--seed", "5")
    other = save_small_model(tmp_path / "other", seed=1)
    with pytest.raises(UserError, match=f"a model with the hash {model.sha256[:16]}, which is not here"):
        run("complete", "--model", str(other), *shared)
    run("complete", "--model", str(other), str(folder), *shared)
    assert (tmp_path / "out.png").is_file()
