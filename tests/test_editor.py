"""The editor's server: exact to the last bit, every error one line, and nobody's but its own page's."""

from __future__ import annotations

import base64
import http.client
import io
import json
import re
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from roigan.apps.editor import pictures
from roigan.apps.editor.app import PAGE
from roigan.apps.editor.pictures import Pictures
from roigan.apps.editor.serve import serve
from roigan.cli import main as cli
from roigan.errors import UserError
from roigan.image_io.lossless import open_picture
from roigan.images.arrays import to_uint8
from roigan.inference.inpaint import complete_picture, controls
from roigan.inference.windows import cut, window
from roigan.systems.model import Model
from tests.served import KINDS, SIZE, Editor, box, file_of, region, save_small_model

MASK = box(40, 60, 8, 20, 18, 22)


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
def sha(editor: Editor) -> str:
    """An open picture."""
    return editor.put(file_of("RGB")).json()["sha256"]


# --- exactness ---


@pytest.mark.parametrize("kind", KINDS)
def test_the_download_is_what_complete_writes(
    kind: str, editor: Editor, model: Model, folder: Path, tmp_path: Path
) -> None:
    content = file_of(kind)
    about = editor.put(content).json()
    regions = [region(model, MASK, seed=5, c=[0.25, -1, 1], k=[3, 1], context=1.5)]
    (tmp_path / "in").write_bytes(content)
    Image.fromarray(MASK).save(tmp_path / "mask.png")
    shared = f"complete --model {folder} --image {tmp_path}/in --mask {tmp_path}/mask.png --seed 5"
    for format in about["formats"]:
        asked = {"picture": about["sha256"], "regions": regions, "format": format}
        answer = editor.post("/api/render", asked)
        assert answer.status_code == 200
        out = tmp_path / f"out.{format}"
        words = f"{shared} --c 0.25,-1,1 --k 3,1 --context 1.5 --out {out}".split()
        arguments = cli.parser().parse_args(words)
        arguments.command(arguments)
        assert answer.content == out.read_bytes()
    best = editor.post("/api/render", asked | {"format": about["formats"][0]}).content
    before, after = (open_picture(file) for file in (content, best))
    assert getattr(after, "mode", None) == getattr(before, "mode", None)
    assert before.info.get("icc_profile") == after.info.get("icc_profile")
    old, new = np.asarray(before), np.asarray(after)
    np.testing.assert_array_equal(new[~MASK], old[~MASK])  # hidden colours as well
    assert (new[MASK] != old[MASK]).any()


def test_a_slider_shows_what_the_model_makes(editor: Editor, model: Model, sha: str) -> None:
    seen = editor.post("/api/window", {"picture": sha, "regions": [region(model, MASK)]}).json()
    picture = open_picture(file_of("RGB"))
    where = window(picture, MASK, SIZE, 2.0)
    assert (seen["top"], seen["left"], seen["side"]) == where
    x, M = (tensor[None] for tensor in cut(picture, MASK, where, SIZE, 3))
    fillings = [{"seed": 4, "c": [0.5, 0, -1], "k": [1, 2]}, {"seed": 4}]
    asked = {"model": model.sha256, "x": seen["x"], "M": seen["M"], "fillings": fillings}
    strip = np.asarray(Image.open(io.BytesIO(editor.post("/api/fill", asked).content))).astype(int)
    assert strip.shape == (SIZE, 2 * SIZE, 3)
    for n, filling in enumerate(fillings):
        given = controls(model, filling.get("c"), filling.get("k"))
        z = model.latent(1, torch.Generator().manual_seed(4), *given)
        y = to_uint8(model.complete(x, M, z))[0].astype(int)
        assert np.abs(strip[:, n * SIZE : (n + 1) * SIZE] - y).max() <= 2  # x is sent with 8 bits


def test_a_window_lies_in_the_earlier_fillings(editor: Editor, model: Model, sha: str) -> None:
    first = region(model, box(40, 60, 5, 15, 10, 10), seed=1)
    alone, after = (
        editor.post("/api/window", {"picture": sha, "regions": regions}).json()
        for regions in ([region(model, MASK)], [first, region(model, MASK)])
    )
    assert alone["M"] == after["M"]
    assert alone["x"] != after["x"]


def test_a_seed_has_its_sliders_and_codes(editor: Editor, model: Model) -> None:
    drawn = editor.post("/api/draw", {"model": model.sha256, "seeds": [0, 7]}).json()
    picture = open_picture(file_of("RGB"))
    for own in drawn:
        free = complete_picture(model, picture, MASK, own["seed"])
        np.testing.assert_array_equal(free, complete_picture(model, picture, MASK, **own))
    assert drawn[0]["c"] != drawn[1]["c"]


def test_the_box_and_the_mask(editor: Editor, model: Model, sha: str) -> None:
    regions = [region(model, MASK, seed=2), region(model, box(40, 60, 30, 2, 5, 5), seed=3)]
    asked = {"picture": sha, "regions": regions}
    part = editor.post("/api/render", asked | {"part": "box"}).json()
    assert [part[side] for side in ("top", "left", "height", "width")] == [8, 2, 27, 40]
    whole = np.asarray(Image.open(io.BytesIO(editor.post("/api/render", asked).content)))
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(part["png"]))))
    np.testing.assert_array_equal(shown, whole[8:35, 2:42])
    mask = editor.post("/api/render", asked | {"part": "mask"}).content
    read = editor.ask("POST", "/api/mask", data=mask, headers={"Content-Type": "image/png"}).json()
    hidden = asked | {"regions": [regions[0], regions[1] | {"shown": False}], "part": "mask"}
    alone = editor.post("/api/render", hidden).content
    again = editor.ask("POST", "/api/mask", data=alone, headers={"Content-Type": "image/png"}).json()
    assert again["runs"] == regions[0]["runs"]
    assert sum(read["runs"][1::2]) == MASK.sum() + 25


def test_a_preview_is_bounded(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "SHOWN_PIXELS", 600)
    about = editor.put(file_of("L", 40, 60)).json()
    shown = Image.open(io.BytesIO(editor.ask("GET", f"/api/pictures/{about['sha256']}").content))
    assert shown.size == (30, 20)
    assert editor.ask("GET", f"/api/pictures/{about['sha256']}/about").json() == about


def test_about_models(editor: Editor, model: Model) -> None:
    (about,) = editor.ask("GET", "/api/models").json()
    assert about == {
        "name": "small", "system": "roigan", "size": SIZE, "channels": 3, "sliders": 3, "codes": 2,
        "values": 4, "sha256": model.sha256, "can": ["fill", "paint"],
    }  # fmt: skip


def test_a_restart_is_not_noticed(model: Model) -> None:
    served = Editor({"small": model})
    content = file_of("RGB")
    asked = {"picture": served.put(content).json()["sha256"], "regions": [region(model, MASK)]}
    before = served.post("/api/render", asked).content
    served.stop()
    served.start()
    forgotten = served.post("/api/render", asked)
    assert forgotten.status_code == 404
    assert forgotten.json() == {"error": "this server has no such picture; send it again"}
    served.put(content)
    assert served.post("/api/render", asked).content == before
    served.stop()


def test_the_cache_forgets_the_oldest() -> None:
    few = Pictures(limit=3 * 40 * 60)
    files = [bytes([n]) for n in range(4)]
    shas = [few.put(file, Image.new("L", (60, 40))).about["sha256"] for file in files]
    assert [few.get(sha) is None for sha in shas] == [True, False, False, False]
    few.get(shas[1])
    few.put(b"new", Image.new("L", (60, 40)))
    assert few.get(shas[1])
    assert not few.get(shas[2])
    few.put(b"large", Image.new("RGB", (600, 400)))  # is kept, though it is beyond the limit
    assert few.bytes() == 600 * 400 * 4


# --- errors ---


def bomb(width: int, height: int) -> bytes:
    """A PNG of some kilobytes whose header speaks of many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = zlib.compress(bytes(height * (width + 1)), 9)
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def animation() -> bytes:
    content = io.BytesIO()
    frames = [Image.new("L", (8, 8), shade) for shade in (0, 200)]
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:])
    return content.getvalue()


BAD_FILES = {
    "no picture": (b"hello", 400, "not a picture of a known format"),
    "nothing": (b"", 400, "not a picture"),
    "animated": (animation(), 400, "animated or of several pages: 2 frames"),
    "41 megapixels": (bomb(8200, 5000), 413, "8200x5000 pixels, the limit is 40000000"),
    "cut short": (file_of("RGB")[:200], 400, ""),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_refused(name: str, editor: Editor) -> None:
    content, status, complaint = BAD_FILES[name]
    for method, path in (("PUT", "/api/pictures"), ("POST", "/api/mask")):
        answer = editor.ask(method, path, data=content, headers={"Content-Type": "image/png"})
        assert answer.status_code == status
        told = answer.json()["error"]
        assert complaint in told
        assert "\n" not in told


GOOD = {"seed": 1, "c": [0.1], "k": [1]}
STROKE = {"brush": "colour", "points": [[20, 20], [28, 22]], "size": 6, "colour": [200, 30, 30]}
POINT = {"z0": [0.5] * 8, "c": [0.1] * 3}
AT = {"z": [[0.0] * 11], "m": [[0.0] * 11], "v": [[0.0] * 11], "t": 3}
BAD: dict[str, tuple[str, Any, int, str]] = {
    "no JSON": ("render", "{", 422, "JSON decode error"),
    "a list": ("render", [], 422, ""),
    "deep": ("render", "[" * 100_000, 400, ""),
    "a long number": ("render", "1" * 5000, 400, ""),
    "unknown key": ("render", {"size": 3}, 422, "size: Extra inputs"),
    "unknown picture": ("render", {"picture": "0" * 64}, 404, "no such picture"),
    "no hash": ("render", {"picture": "../../etc/passwd"}, 422, "picture: String should match"),
    "unknown model": (
        "render",
        {"regions": [{**GOOD, "model": "f" * 64, "runs": [1]}]},
        404,
        "no such model",
    ),
    "no regions": ("render", {"regions": []}, 422, "at least 1"),
    "17 regions": ("render", {"regions": 17}, 413, "at most 16"),
    "a format": ("render", {"format": "jpg"}, 422, "'png' or 'tif'"),
    "empty": ("render", {"runs": [2400]}, 400, "the mask is empty"),
    "empty box": ("render", {"runs": [2400], "part": "box"}, 400, "nothing to generate"),
    "too short": ("render", {"runs": [3, 5]}, 400, "add up to 8 pixels, but 60x40 pixels are 2400"),
    "negative": ("render", {"runs": [-1, 2401]}, 422, "greater than or equal to 0"),
    "huge": ("render", {"runs": [2**70]}, 422, "less than or equal"),
    "half": ("render", {"runs": [0.5, 2399.5]}, 422, "valid integer"),
    "NaN": ("render", {"c": [float("nan")]}, 422, "finite number"),
    "infinite": ("render", {"c": [float("inf")]}, 422, "finite number"),
    "beyond": ("render", {"c": [1.5]}, 400, "slider 0 is 1.5"),
    "too many sliders": ("render", {"c": [0, 0, 0, 0]}, 400, "at most 3"),
    "no such value": ("render", {"k": [4]}, 400, "codes go from 0 to 3"),
    "a seed": ("render", {"seed": 2**63}, 422, "less than"),
    "context": ("render", {"context": 0.5}, 422, "greater than or equal to 1"),
    "window, empty": ("window", {"runs": [2400]}, 400, "the mask is empty"),
    "draw": ("draw", {"seeds": []}, 422, "at least 1"),
    "draw many": ("draw", {"seeds": [1] * 17}, 413, "at most 16"),
    "fill many": ("fill", {"fillings": [GOOD] * 17}, 413, "at most 16"),
    "z0 of another length": ("fill", {"fillings": [{"z0": [0.0] * 7}]}, 400, "noise 8"),
    "z0 beyond": ("render", {"z0": [1e30] * 8}, 422, "less than or equal"),
    "a stroke of another kind": (
        "paint",
        {"strokes": [STROKE | {"brush": "oil"}]},
        422,
        "'sketch' or 'warp'",
    ),
    "no point": ("paint", {"strokes": [STROKE | {"points": []}]}, 422, "at least 1"),
    "no colour": ("paint", {"strokes": [STROKE | {"colour": [256, 0, 0]}]}, 422, "less than or equal to 255"),
    "no stroke": ("paint", {"strokes": []}, 422, "at least 1"),
    "65 strokes": ("paint", {"strokes": [STROKE] * 65}, 413, "at most 64"),
    "33 warps": ("paint", {"strokes": [STROKE | {"brush": "warp"}] * 33}, 400, "at most 64 can be met"),
    "a stroke beside": (
        "paint",
        {"strokes": [STROKE | {"points": [[500, 500]]}]},
        400,
        "stroke 1: it lies",
    ),
    "a warp from beside": (
        "paint",
        {"strokes": [STROKE, STROKE | {"brush": "warp", "points": [[50, 50], [20, 20]]}]},
        400,
        "stroke 2: warp 50,50,-30,-30,6",
    ),
    "21 steps": ("paint", {"steps": 21}, 422, "less than or equal to 20"),
    "17 candidates": ("paint", {"candidates": 17}, 422, "less than or equal to 16"),
    "moments of another length": ("paint", {"at": AT | {"m": [[0.0]]}}, 400, "of 11 numbers"),
    "moments of fewer candidates": ("paint", {"at": AT | {"v": []}}, 400, "as many lists as there are"),
    "a negative square": ("paint", {"at": AT | {"v": [[-1.0] * 11]}}, 422, "greater than or equal to 0"),
    "one frame": ("path", {"frames": 1}, 422, "greater than or equal to 2"),
    "half a way": ("path", {"end": {"z0": [0.5], "c": []}}, 400, "noise 8"),
    "no base64": ("fill", {"x": "AAA"}, 422, "Base64"),
    "no PNG": ("fill", {"x": "AAAA"}, 400, "not a picture"),
    "small x": ("fill", {"x": base64.b64encode(file_of("L", 8, 8)).decode()}, 400, "16x16 pixels"),
}


VERBS = {
    "render": "Render", "window": "Work", "draw": "Draw", "fill": "Fill", "paint": "Paint", "path": "Along",
    "project": "Project", "transfer": "Transfer",
}  # fmt: skip
"""Verbs, and what /openapi.json calls their bodies."""
PARTS = {"strokes": "Stroke", "at": "Moments", "start": "Controls", "begin": "Point"}


def whole_body(verb: str, part: dict[str, Any], model: Model, sha: str) -> dict[str, Any]:
    """A good body with something replaced, in the body or in its region."""
    own = {key: part[key] for key in ("runs", "c", "k", "seed", "context", "z0") if key in part}
    regions = part.get("regions", [region(model, MASK, **GOOD) | own])
    if isinstance(regions, int):
        regions = [region(model, MASK)] * regions
    square = base64.b64encode(file_of("L", SIZE, SIZE)).decode()
    seen = {"model": model.sha256, "x": square, "M": square}
    bodies: dict[str, dict[str, Any]] = {
        "render": {"picture": sha, "regions": regions},
        "window": {"picture": sha, "regions": regions},
        "draw": {"model": model.sha256, "seeds": [1]},
        "fill": seen | {"fillings": [GOOD]},
        "paint": seen | {"top": 4, "left": 8, "side": 32, "strokes": [STROKE], "start": GOOD, "lam_s": 1},
        "project": {"picture": sha, "model": model.sha256},
        "transfer": {"picture": sha, "model": model.sha256, "z0": [0.0], "z1": [1.0]},
        "path": seen | {"k": [1, 2], "start": POINT, "end": POINT, "frames": 3},
    }
    return bodies[verb] | {key: value for key, value in part.items() if key not in own and key != "regions"}


@pytest.mark.parametrize("name", BAD)
def test_a_body_that_is_refused(name: str, editor: Editor, model: Model, sha: str) -> None:
    verb, part, status, complaint = BAD[name]
    body = whole_body(verb, part, model, sha) if isinstance(part, dict) else part
    answer = editor.post(f"/api/{verb}", body)
    told = answer.json()
    assert (answer.status_code, list(told)) == (status, ["error"])
    assert complaint in told["error"]
    assert "\n" not in told["error"]
    assert len(told["error"]) < 300


def test_the_bodies_of_these_tests_are_good_but_for_what_is_bad(
    editor: Editor, model: Model, sha: str
) -> None:
    for verb in sorted(VERBS.keys() - {"project", "transfer"}):  # this model has no whole images
        assert editor.post(f"/api/{verb}", whole_body(verb, {}, model, sha)).status_code == 200


def test_too_many_runs(editor: Editor, model: Model, sha: str) -> None:
    runs = [0] * 2_100_000 + [2400]
    regions = [{"model": model.sha256, "runs": runs}] * 2
    answer = editor.post("/api/render", {"picture": sha, "regions": regions})
    assert (answer.status_code, answer.json()["error"]) == (413, "regions have more than 4000000 runs")


@pytest.fixture(scope="module")
def schemas(editor: Editor) -> dict[str, Any]:
    return editor.ask("GET", "/openapi.json").json()["components"]["schemas"]


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_no_request_breaks_the_server(
    editor: Editor, model: Model, sha: str, schemas: dict[str, Any], data: st.DataObject
) -> None:
    """Bodies as /openapi.json describes them, with some values replaced by anything."""
    verb = data.draw(st.sampled_from(sorted(VERBS)))
    body = whole_body(verb, {}, model, sha)
    schema = schemas[VERBS[verb]]
    for key in data.draw(st.lists(st.sampled_from(sorted(schema["properties"])), max_size=2)):
        body[key] = data.draw(anything)
    regions = body.get("regions")
    if isinstance(regions, list) and regions and isinstance(regions[0], dict) and data.draw(st.booleans()):
        regions[0] = regions[0] | data.draw(
            st.dictionaries(st.sampled_from(["runs", "c", "k", "z0", "seed", "context", "paint"]), anything)
        )
    if verb == "paint" and data.draw(st.booleans()):
        part = data.draw(st.sampled_from(["strokes", "at", "start", "begin"]))
        key = data.draw(st.sampled_from(sorted(schemas[PARTS[part]]["properties"])))
        good = {"strokes": STROKE, "at": AT, "start": GOOD, "begin": POINT}[part]
        bad = good | {key: data.draw(anything)}
        body[part] = [bad] if part == "strokes" else bad
    answer = editor.post(f"/api/{verb}", body)
    assert answer.status_code in (200, 400, 404, 413, 422)


def test_numbers_at_their_limits_break_nothing(editor: Editor, model: Model, sha: str) -> None:
    """Whatever a request may say, each at the same time."""
    wild = {
        "strokes": [
            STROKE | {"brush": brush, "points": [[100_000, -100_000], [20, 20]], "size": 100_000}
            for brush in ("colour", "sketch")
        ],
        "start": {"z0": [-1000.0] * 8, "c": [-1] * 3},
        "at": {"z": [[1e6] * 11], "m": [[-1e6] * 11], "v": [[1e12] * 11], "t": 10_000},
        "lam_s": 100,
    }
    for place in ({}, {"top": -100_000, "left": 100_000, "side": 1}, {"side": 100_000}):
        answer = editor.post("/api/paint", whole_body("paint", wild | place, model, sha))
        assert answer.status_code in (200, 400)


# --- limits ---


@pytest.mark.parametrize("chunked", [False, True])
def test_65_mib_are_too_much(editor: Editor, chunked: bool) -> None:
    content = bytes(65 * 2**20)
    body = iter([content[: 2**22]] * 17) if chunked else content
    process = psutil.Process()
    before = process.memory_info().rss
    answer = editor.ask("PUT", "/api/pictures", data=body, headers={"Content-Type": "image/png"})
    assert answer.status_code == 413
    assert answer.json() == {"error": "more than 64 MiB; make the picture smaller"}
    assert process.memory_info().rss - before < 160 * 2**20


def test_who_comes_tenth_is_told_to_wait(
    editor: Editor, model: Model, sha: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, go = threading.Event(), threading.Event()
    complete = Model.complete

    def slow(self: Model, *given: Any) -> Any:
        inside.set()
        go.wait(30)
        return complete(self, *given)

    monkeypatch.setattr(Model, "complete", slow)
    asked = {"picture": sha, "regions": [region(model, MASK)]}
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(editor.post("/api/render", asked))) for _ in range(12)
    ]
    threads[0].start()
    assert inside.wait(30)
    for thread in threads[1:]:
        thread.start()
    while len(answers) < 3:  # the twelve without the one at work and the eight that wait
        assert any(thread.is_alive() for thread in threads)
    go.set()
    for thread in threads:
        thread.join(60)
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] * 9 + [503] * 3
    assert {a.headers.get("Retry-After") for a in answers if a.status_code == 503} == {"1"}


# --- strangers ---


def raw(
    editor: Editor, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, str]:
    """Status and body, with nothing but these headers."""
    connection = http.client.HTTPConnection("127.0.0.1", editor.port, timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in ({"Content-Length": str(len(body))} | headers).items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    content = answer.read().decode(errors="replace")
    connection.close()
    return answer.status, content


def test_strangers_are_refused(editor: Editor) -> None:
    own = f"127.0.0.1:{editor.port}"

    def get(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return raw(editor, "GET", "/api/models", named)[0]

    for host in (own, f"localhost:{editor.port}", f"[::1]:{editor.port}"):
        assert get(Host=host) == 200
    for host in ("evil.example", f"evil.example:{editor.port}", "127.0.0.1", f"{own}.evil.example", ""):
        assert get(Host=host) == 403
    assert get(Host=own, Origin=f"http://{own}") == 200
    for origin in ("http://evil.example", "null", f"https://{own}", f"http://localhost:{editor.port}"):
        assert get(Host=own, Origin=origin) == 403
    for site, status in (("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403)):
        assert get(Host=own, Sec_Fetch_Site=site) == status
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", ""):
        headers = {"Host": own, "Content-Type": kind}
        assert raw(editor, "POST", "/api/draw", headers, b"{}")[0] == 415
    assert raw(editor, "POST", "/api/draw", {"Host": own}, b"{}")[0] == 415
    preflight = {"Host": own, "Origin": "http://evil.example", "Access-Control-Request-Method": "PUT"}
    assert raw(editor, "OPTIONS", "/api/pictures", preflight)[0] == 403
    allowed = editor.ask("OPTIONS", "/api/pictures")
    assert allowed.status_code == 405
    assert not [name for name in allowed.headers if name.lower().startswith("access-control")]


def test_no_path_of_the_machine_can_be_asked_for(editor: Editor) -> None:
    headers = {"Host": f"127.0.0.1:{editor.port}"}
    for path in (
        "/../app.py", "/js/../../app.py", "/%2e%2e/app.py", "/..%2fapp.py", "//etc/passwd", "/js", "/js/",
        "/js/%2e%2e%2f%2e%2e%2fapp.py", "/etc/passwd", "/docs", "/redoc", "/api/pictures/..%2f..%2fapp.py",
        "/api/nothing", "/%00",
    ):  # fmt: skip
        status, content = raw(editor, "GET", path, headers)
        assert status in (404, 405), path
        assert list(json.loads(content)) == ["error"]
        assert "make_app" not in content
        assert str(PAGE.parents[2]) not in content


def test_every_answer_has_the_headers(editor: Editor) -> None:
    answers = [
        editor.ask("GET", path) for path in ("/", "/js/main.js", "/style.css", "/api/models", "/nothing")
    ]
    answers.append(editor.ask("GET", "/", headers={"Host": "evil.example"}))
    for answer in answers:
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "Set-Cookie" not in answer.headers


def test_elsewhere_a_token_is_needed(model: Model) -> None:
    served = Editor({"small": model}, token="secret")
    other = {"Host": f"machine.example:{served.port}"}
    status = [
        served.ask("GET", path, headers={**other, **more}).status_code
        for path, more in (
            ("/", {}),
            ("/js/main.js", {}),
            ("/api/models", {}),
            ("/openapi.json", {}),
            ("/api/models", {"Authorization": "Bearer wrong"}),
            ("/api/models", {"Authorization": "Bearer secret"}),
            ("/api/models", {"Authorization": "Bearer secret", "Origin": "http://evil.example"}),
        )
    ]
    served.stop()
    assert status == [200, 200, 403, 403, 403, 200, 403]


def test_what_cannot_be_served(model: Model, editor: Editor) -> None:
    with pytest.raises(UserError, match=f"127.0.0.1:{editor.port} cannot be listened on"):
        serve({"small": model}, "127.0.0.1", editor.port)
    drawing = Model.__new__(Model)
    drawing.verbs, drawing.system = ("generate",), "dcgan"
    with pytest.raises(UserError, match="a model that completes, and none does: drawings is dcgan"):
        serve({"drawings": drawing}, "127.0.0.1", 0)


# --- the page ---


def test_the_page_asks_nobody_else() -> None:
    files = [path for path in PAGE.rglob("*") if path.suffix in (".html", ".js", ".css", ".svg")]
    assert len(files) > 10
    for path in files:
        foreign = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", path.read_text())) - {"http://www.w3.org"}
        assert not foreign, path
        assert not re.search(r"\son\w+=|\sstyle=|javascript:|innerHTML|insertAdjacentHTML", path.read_text())
    assert sum(path.stat().st_size for path in files) < 200_000


def test_the_page_is_small_to_read() -> None:
    lines = dict.fromkeys((".js", ".css"), 0)
    for path in PAGE.rglob("*"):
        if path.suffix in lines:
            lines[path.suffix] += len(path.read_text().splitlines())
    assert lines[".js"] <= 2060
    assert lines[".css"] <= 300
