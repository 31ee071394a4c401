"""Brushes through the editor's server: steps in parts are steps at once, outside nothing moves, a recipe with
a painted region is exact."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from roigan.apps.editor.brushes import point
from roigan.cli import main as cli
from roigan.config import PaintParams
from roigan.image_io.lossless import open_picture
from roigan.images.arrays import to_uint8
from roigan.inference.brushes import within
from roigan.inference.inpaint import latent
from roigan.inference.lines import Line, asked
from roigan.inference.manipulation import candidates, paint, region
from roigan.inference.windows import Window, cut, window
from roigan.systems.model import Model
from tests.served import SIZE, Editor, box, file_of, save_small_model
from tests.served import region as region_of

MASK = box(40, 60, 8, 20, 18, 22)
STROKE = {"brush": "colour", "points": [[24, 16], [36, 18]], "size": 5, "colour": [230, 40, 40]}
START = {"seed": 3, "c": [0.2, -0.1, 0.0], "k": [1, 2]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_model(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return Model.load(folder)


@pytest.fixture(scope="module")
def editor(model: Model) -> Iterator[Editor]:
    served = Editor({"small": model})
    yield served
    served.stop()


@pytest.fixture(scope="module")
def body(editor: Editor, model: Model) -> dict[str, Any]:
    """A good request to /api/paint."""
    sha = editor.put(file_of("RGB")).json()["sha256"]
    seen = editor.post("/api/window", {"picture": sha, "regions": [region_of(model, MASK)]}).json()
    return {"model": model.sha256, "strokes": [STROKE], "start": START, "candidates": 3, "lam_s": 5, **seen}


def images_of(strip: str | bytes) -> np.ndarray:
    """[n, S, S, 3] of a strip."""
    content = base64.b64decode(strip) if isinstance(strip, str) else strip
    levels = np.asarray(Image.open(io.BytesIO(content))).astype(int)
    return levels.reshape(SIZE, -1, SIZE, 3).swapaxes(0, 1)


def test_steps_in_parts_are_steps_at_once(editor: Editor, body: dict[str, Any]) -> None:
    once = editor.post("/api/paint", body | {"steps": 7}).json()
    first = editor.post("/api/paint", body | {"steps": 4}).json()
    second = editor.post("/api/paint", body | {"steps": 3, "at": first["at"]}).json()
    assert second["at"] == once["at"]
    assert second["at"]["t"] == 7
    assert second["found"] == once["found"]
    assert editor.post("/api/paint", body | {"steps": 7}).json() == once  # a function of the request


def test_it_is_what_paint_finds(editor: Editor, model: Model, body: dict[str, Any]) -> None:
    steps = 6
    answer = editor.post("/api/paint", body | {"steps": steps}).json()
    picture = open_picture(file_of("RGB"))
    where = window(picture, MASK, SIZE, 2.0)
    x, M = (tensor[None] for tensor in cut(picture, MASK, where, SIZE, 3))
    x = torch.from_numpy(to_uint8(x)).movedim(-1, 1) / 127.5 - 1  # as it is sent
    canvas, z0 = region(model, x, M, latent(model, **START))
    params = PaintParams(candidates=3, steps=steps - 1)  # the last step is looked at by the next request
    line = Line("colour", [(24, 16), (36, 18)], 5, (230, 40, 40))
    strokes = within(asked([line], where, canvas.G(z0)[0], params), M[0])
    begin = candidates(z0, params, torch.Generator().manual_seed(3))
    found = paint(canvas, strokes, begin, params, z0)
    for own, z, loss in zip(answer["found"], found.z, found.loss, strict=True):
        assert own["c"] == pytest.approx(point(model, z)["c"], abs=1e-3)
        assert own["cost"] == pytest.approx(float(loss), rel=1e-2)
        assert sum(own["terms"].values()) == pytest.approx(own["cost"], rel=1e-5)
    assert answer["start"]["c"] == pytest.approx(START["c"])
    assert np.abs(images_of(answer["y"]) - to_uint8(found.images)).max() <= 3


def test_the_stroke_is_met_and_nothing_moves_outside(editor: Editor, body: dict[str, Any]) -> None:
    at, costs = None, []
    for _ in range(4):
        answer = editor.post("/api/paint", body | {"steps": 10, "at": at, "lam_s": 0}).json()
        at = answer["at"]
        costs.append(min(each["cost"] for each in answer["found"]))
    assert costs[-1] < 0.7 * editor.post("/api/paint", body | {"steps": 1}).json()["found"][0]["cost"]
    outside = np.asarray(Image.open(io.BytesIO(base64.b64decode(body["M"])))) == 0
    x = images_of(body["x"])[0]
    for y in images_of(answer["y"]):
        np.testing.assert_array_equal(y[outside], x[outside])
        assert (y[~outside] != x[~outside]).any()


def test_a_stroke_beside_the_region_is_refused(editor: Editor, body: dict[str, Any]) -> None:
    beside = STROKE | {"points": [[50, 10], [52, 30]], "size": 3}
    answer = editor.post("/api/paint", body | {"strokes": [beside]})
    assert (answer.status_code, answer.json()) == (400, {"error": "no stroke lies in the region"})
    half = editor.post("/api/paint", body | {"strokes": [STROKE, beside], "steps": 1}).json()
    assert half["found"] == editor.post("/api/paint", body | {"steps": 1}).json()["found"]


def test_a_later_search_begins_where_the_region_stands(editor: Editor, body: dict[str, Any]) -> None:
    found = editor.post("/api/paint", body | {"steps": 20}).json()["found"][0]
    begin = {"z0": found["z0"], "c": found["c"]}
    again = editor.post("/api/paint", body | {"steps": 1, "begin": begin}).json()["found"][0]
    assert again["cost"] == pytest.approx(found["cost"], rel=1e-5)  # smoothness still holds to the start


def test_a_path_has_both_ends(editor: Editor, model: Model, body: dict[str, Any]) -> None:
    painted = editor.post("/api/paint", body | {"steps": 20}).json()
    start, end = painted["start"], {key: painted["found"][0][key] for key in ("z0", "c")}
    seen = {key: body[key] for key in ("model", "x", "M")}
    asked_for = seen | {"k": START["k"], "start": start, "end": end, "frames": 5}
    frames = images_of(editor.post("/api/path", asked_for).content)
    between = {key: [(a + b) / 2 for a, b in zip(start[key], end[key], strict=True)] for key in ("z0", "c")}
    fillings = [START, {"k": START["k"], **between}, {"k": START["k"], **end}]
    filled = images_of(editor.post("/api/fill", seen | {"fillings": fillings}).content)
    assert np.abs(frames[[0, 2, 4]] - filled).max() <= 1
    assert (frames[0] != frames[4]).any()


def test_a_painted_region_is_replayed_exactly(
    editor: Editor, model: Model, folder: Path, body: dict[str, Any], tmp_path: Path
) -> None:
    found = editor.post("/api/paint", body | {"steps": 20}).json()
    end = {key: found["found"][0][key] for key in ("z0", "c")}
    way = {"start": found["start"], "end": end, "t": 1.0}
    painted = {"strokes": [STROKE], "lam_s": 5, "path": way}
    own = region_of(model, MASK, seed=3, k=START["k"], paint=painted, **end)
    for kind in ("RGBA", "deep"):
        content = file_of(kind)
        about = editor.put(content).json()
        render = {"picture": about["sha256"], "regions": [own]}
        saved = editor.post("/api/render", render).content
        unmoved = render | {"regions": [own | {"z0": None}]}
        assert saved != editor.post("/api/render", unmoved).content
        (tmp_path / "in.png").write_bytes(content)
        original = {"name": "in.png", "sha256": about["sha256"], "width": 60, "height": 40}
        recipe = {"roigan": 1, "picture": original, "regions": [own]}
        (tmp_path / "r.json").write_text(json.dumps(recipe))
        files = f"--image {tmp_path}/in.png --out {tmp_path}/out.png"
        words = f"complete --model {folder} --recipe {tmp_path}/r.json {files}"
        arguments = cli.parser().parse_args(words.split())
        arguments.command(arguments)
        assert (tmp_path / "out.png").read_bytes() == saved


# --- lines ---

PARAMS = PaintParams()
GREY = torch.zeros(3, SIZE, SIZE)


@pytest.mark.parametrize(("top", "left", "side"), [(0, 0, SIZE), (100, 40, SIZE), (100, 40, 5 * SIZE)])
def test_a_line_lies_where_it_was_drawn(top: int, left: int, side: int) -> None:
    scale = side // SIZE
    points = [(left + 3 * scale + scale // 2, top + y * scale + scale // 2) for y in (5, 10)]
    (stroke,) = asked([Line("colour", points, scale, (255, 0, 51))], Window(top, left, side), GREY, PARAMS)
    wanted = torch.zeros(1, SIZE, SIZE)
    wanted[:, 5:11, 3] = 1
    assert torch.equal(stroke.B, wanted)
    assert torch.allclose(stroke.v[:, 7, 3], torch.tensor([1.0, -1.0, -0.6]))


def test_a_thin_line_is_as_wide_as_a_pixel_of_the_model() -> None:
    line = Line("colour", [(100, 120), (900, 120)], 1)
    (stroke,) = asked([line], Window(0, 0, 64 * SIZE), GREY, PARAMS)
    assert stroke.B.sum() >= 12


def test_a_grey_model_hears_the_lightness_of_a_colour() -> None:
    (stroke,) = asked([Line("colour", [(3, 3)], 3, (255, 0, 0))], Window(0, 0, SIZE), GREY[:1], PARAMS)
    assert stroke.v[0, 3, 3] == pytest.approx(2 * 0.299 - 1, abs=1e-4)


def test_sketches_are_one_drawing_and_warps_begin_at_their_point() -> None:
    lines = [
        Line("sketch", [(2, 2), (12, 2)]),
        Line("warp", [(6, 6), (7, 7), (9, 6)], 3),
        Line("sketch", [(2, 9), (12, 9)]),
    ]
    image = torch.rand(3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    moved, *_, drawn = asked(lines, Window(0, 0, SIZE), image, PARAMS)
    assert drawn.brush == "sketch"
    both = [asked([line], Window(0, 0, SIZE), image, PARAMS)[0].B for line in lines[::2]]
    assert torch.equal(drawn.B, torch.maximum(*both))
    assert not torch.equal(*both)
    assert torch.equal(moved.v[:, 5:8, 8:11], image[:, 5:8, 5:8])
