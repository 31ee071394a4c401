"""The editor's page in a real browser: drawn with the mouse, by keys, a pen and two fingers."""

from __future__ import annotations

import base64
import io
import json
import random
import shutil
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from roigan.apps.recipe import mask_of
from roigan.cli import main as cli
from roigan.image_io.lossless import open_picture
from roigan.systems.model import Model
from tests.served import Editor, file_of, save_small_model

api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is on the PATH"),
]
HEIGHT, WIDTH = 200, 300
PATIENCE = 30_000  # milliseconds


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_model(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return Model.load(folder)


@pytest.fixture
def editor(model: Model) -> Iterator[Editor]:
    served = Editor({"small": model})
    yield served
    served.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api.expect.set_options(timeout=PATIENCE)
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


Tab = Callable[..., Any]


@pytest.fixture
def tab(browser: Any, editor: Editor) -> Iterator[Tab]:
    """tab(...) opens the page in a context of its own. At the end, the console must be empty and nobody else
    have been asked for anything."""
    contexts, said, foreign = [], [], []

    def open_tab(**options: Any) -> Any:
        context = browser.new_context(viewport={"width": 1280, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: foreign.append(request.url))
        page.goto(editor.url)
        api.expect(page.locator("#model option").first).to_be_attached()
        return page

    yield open_tab
    for context in contexts:
        context.close()
    refused = "Failed to load resource: the server responded with a status of 40"  # Chromium's own words
    assert not [line for line in said if not line.startswith(refused)]
    assert not [url for url in foreign if not url.startswith((editor.url, "blob:", "data:"))]


# --- hands ---


def open_file(page: Any, name: str, content: bytes, says: str = "300 × 200") -> None:
    with page.expect_file_chooser() as chooser:
        page.click("#open")
    chooser.value.set_files({"name": name, "mimeType": "application/octet-stream", "buffer": content})
    api.expect(page.locator("#status")).to_contain_text(says)


def settled(page: Any) -> None:
    """Waits for the exact result of the present state, and for what is under way, which may make another."""
    for _ in range(600):
        if evaluate(page, "results", "isSettled()") and not evaluate(page, "say", "isBusy()"):
            return
        page.wait_for_timeout(50)
    raise AssertionError("no result has come")


def evaluate(page: Any, module: str, expression: str) -> Any:
    """A value of a module of the page."""
    return page.evaluate(
        f"async () => {{ const m = await import('/js/{module}.js'); return m.{expression}; }}"
    )


def on_screen(page: Any, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the picture lies on the screen (its middle)."""
    box = page.locator("#canvas").bounding_box()
    view = evaluate(page, "view", "view")
    return box["x"] + view["x"] + (x + 0.5) * view["zoom"], box["y"] + view["y"] + (y + 0.5) * view["zoom"]


def pull(page: Any, *points: tuple[int, int]) -> None:
    """Down at the first pixel, along the others, up at the last."""
    page.mouse.move(*on_screen(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*on_screen(page, *point))
    page.mouse.up()


def state(page: Any) -> Any:
    return evaluate(page, "store", "now()")


def save(page: Any, press: Callable[[], None]) -> bytes:
    with page.expect_download() as download:
        press()
    return Path(download.value.path()).read_bytes()


def drawn_mask(page: Any) -> np.ndarray:
    return mask_of(state(page)["regions"][0]["runs"], HEIGHT, WIDTH)


# --- exactness ---


@pytest.mark.parametrize("kind", ["RGBA", "I;16", "deep", "P", "CMYK"])
def test_what_is_downloaded_is_exact(kind: str, tab: Tab, folder: Path, tmp_path: Path) -> None:
    page, content = tab(), file_of(kind, HEIGHT, WIDTH)
    open_file(page, "a.png", content)
    pull(page, (60, 60), (120, 90), (150, 70))
    settled(page)
    slider = page.locator("#slider-0").bounding_box()
    middle = slider["y"] + slider["height"] / 2
    page.mouse.move(slider["x"] + slider["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(slider["x"] + slider["width"] * 0.8, middle, steps=5)
    page.mouse.up()
    settled(page)
    page.locator("#slider-1").press("ArrowLeft")
    settled(page)
    (region,) = state(page)["regions"]
    assert region["c"][0] > 0.3
    assert region["c"][1] == pytest.approx(-0.01)
    saved = save(page, lambda: page.click("#download"))
    before, after = (open_picture(file) for file in (content, saved))
    mask = drawn_mask(page)
    old, new = np.asarray(before), np.asarray(after)
    assert old.dtype == new.dtype
    assert before.info.get("icc_profile") == after.info.get("icc_profile")
    np.testing.assert_array_equal(new[~mask], old[~mask])
    assert (new[mask] != old[mask]).any()

    (tmp_path / "in").write_bytes(content)
    Image.fromarray(mask).save(tmp_path / "mask.png")
    out = tmp_path / ("out.tif" if kind == "CMYK" else "out.png")
    controls = ["--seed", str(region["seed"]), "--c", ",".join(map(str, region["c"])), "--k", "0,0"]
    files = ["--image", str(tmp_path / "in"), "--mask", str(tmp_path / "mask.png"), "--out", str(out)]
    arguments = cli.parser().parse_args(["complete", "--model", str(folder), *files, *controls])
    arguments.command(arguments)
    assert saved == out.read_bytes()


def disc(mask: np.ndarray, cx: int, cy: int, size: int) -> None:
    """The pixels whose distance from the centre is below half a size; of an even one, it is a corner."""
    even = 1 - size % 2
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    mask[(2 * (x - cx) + even) ** 2 + (2 * (y - cy) + even) ** 2 < size**2] = True


def bresenham(x0: int, y0: int, x1: int, y1: int) -> Iterator[tuple[int, int]]:
    dx, dy = abs(x1 - x0), -abs(y1 - y0)
    sx, sy = (1 if x0 < x1 else -1), (1 if y0 < y1 else -1)
    error = dx + dy
    while True:
        yield x0, y0
        if (x0, y0) == (x1, y1):
            return
        twice = 2 * error
        if twice >= dy:
            error, x0 = error + dy, x0 + sx
        if twice <= dx:
            error, y0 = error + dx, y0 + sy


@pytest.mark.parametrize("ratio", [1, 2])
@pytest.mark.parametrize("zoom", [1.0, 0.4, 3.3])
def test_a_stroke_is_a_raster_in_pixels_of_the_picture(tab: Tab, zoom: float, ratio: int) -> None:
    page = tab(device_scale_factor=ratio)
    open_file(page, "a.png", file_of("RGB", HEIGHT, WIDTH))
    evaluate(page, "view", f"zoomBy({zoom})")
    path, wanted = [(140, 100), (170, 92), (165, 118), (150, 101)], np.zeros((HEIGHT, WIDTH), bool)
    for size in (1, 2, 7, 12):
        evaluate(page, "tools", f"setSize({size})")
        pull(page, *path)
        for (x0, y0), (x1, y1) in pairwise(path):
            for point in bresenham(x0, y0, x1, y1):
                disc(wanted, *point, size)
        np.testing.assert_array_equal(drawn_mask(page), wanted)


def test_shapes_are_exact(tab: Tab) -> None:
    page = tab()
    open_file(page, "a.png", file_of("RGB", HEIGHT, WIDTH))
    y, x = np.mgrid[:HEIGHT, :WIDTH]

    def drawn(key: str, *points: tuple[int, int]) -> np.ndarray:
        page.keyboard.press(key)
        pull(page, *points)
        mask = drawn_mask(page)
        page.keyboard.press("Control+z")
        return mask

    rectangle = (x >= 20) & (x <= 60) & (y >= 30) & (y <= 44)
    np.testing.assert_array_equal(drawn("r", (60, 30), (20, 44)), rectangle)
    inside = ((2 * x - 80) / 41) ** 2 + ((2 * y - 74) / 15) ** 2 <= 1  # centre (40, 37), 41 by 15
    np.testing.assert_array_equal(drawn("o", (20, 30), (60, 44)), inside)
    triangle = drawn("l", (50, 50), (90, 50), (50, 90))
    np.testing.assert_array_equal(triangle, (x >= 50) & (y >= 50) & (x + y <= 140))
    page.keyboard.press("r")
    pull(page, (20, 30), (60, 44))
    page.keyboard.press("e")
    evaluate(page, "tools", "setSize(5)")
    pull(page, (40, 37), (40, 37))
    hole = np.zeros_like(rectangle)
    disc(hole, 40, 37, 5)
    np.testing.assert_array_equal(drawn_mask(page), rectangle & ~hole)
    page.keyboard.press("f")
    pull(page, (40, 37))
    np.testing.assert_array_equal(drawn_mask(page), rectangle)
    pull(page, (200, 150))  # the rest of the picture
    assert drawn_mask(page).all()


def test_a_mask_file_and_its_copy(tab: Tab) -> None:
    page, mask = tab(), np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:50, 30:90] = 128
    mask[25:30, 40:50] = 127
    content = io.BytesIO()
    Image.fromarray(mask).save(content, "PNG")
    open_file(page, "a.png", file_of("RGB", HEIGHT, WIDTH))
    with page.expect_file_chooser() as chooser:
        page.click("#mask-file")
    chooser.value.set_files({"name": "m.png", "mimeType": "image/png", "buffer": content.getvalue()})
    api.expect(page.locator("#regions > li")).to_have_count(1)
    settled(page)
    np.testing.assert_array_equal(drawn_mask(page), mask >= 128)
    page.click("[popovertarget=more]")
    saved = save(page, lambda: page.click("#save-mask"))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(saved))) > 0, mask >= 128)


# --- states ---


@pytest.mark.parametrize("seed", range(3))
def test_undo_to_the_start_and_redo_to_the_end(tab: Tab, seed: int) -> None:
    page, rng = tab(), random.Random(seed)
    open_file(page, "a.png", file_of("RGB", HEIGHT, WIDTH))
    page.locator("#live").uncheck()

    def stroke() -> None:
        page.keyboard.press(rng.choice("berolf"))
        pull(page, *[(rng.randrange(WIDTH), rng.randrange(HEIGHT)) for _ in range(rng.randint(1, 4))])

    def slide() -> None:
        if page.locator("#slider-0").is_visible():
            page.locator(f"#slider-{rng.randrange(3)}").press(rng.choice(["ArrowLeft", "End", "PageUp"]))

    def key() -> None:
        page.locator("#canvas").press(rng.choice(["n", ",", ".", "Delete", "ArrowLeft", "Shift+ArrowDown"]))

    deeds = [stroke, stroke, stroke, slide, key, key]
    seen = [state(page)["regions"]]
    for _ in range(30):
        rng.choice(deeds)()
        if (regions := state(page)["regions"]) != seen[-1]:
            seen.append(regions)
    assert len(seen) > 8
    for wanted in reversed(seen[:-1]):
        page.keyboard.press("Control+z")
        assert state(page)["regions"] == wanted
    api.expect(page.locator("#undo")).to_be_disabled()
    for wanted in seen[1:]:
        page.keyboard.press("Control+Shift+Z")
        assert state(page)["regions"] == wanted
    api.expect(page.locator("#redo")).to_be_disabled()


def shown_result(page: Any) -> np.ndarray:
    """The pixels of the result that the page shows."""
    encoded = page.evaluate(
        """async () => {
          const { view } = await import("/js/view.js"), { bitmap } = view.result;
          const sheet = new OffscreenCanvas(bitmap.width, bitmap.height);
          sheet.getContext("2d").drawImage(bitmap, 0, 0);
          const bytes = new Uint8Array(await (await sheet.convertToBlob()).arrayBuffer());
          return btoa(String.fromCharCode(...bytes));
        }"""
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB"))


def test_a_late_answer_does_not_overwrite_a_newer_one(tab: Tab, editor: Editor) -> None:
    page, content = tab(), file_of("RGB", HEIGHT, WIDTH)
    open_file(page, "a.png", content)
    page.keyboard.press("r")
    pull(page, (60, 60), (120, 110))
    settled(page)
    late = iter([1.0, 0.0, 0.6, 0.0, 0.3])

    def delay(route: Any) -> None:
        answer = route.fetch()
        time.sleep(next(late, 0.0))
        route.fulfill(response=answer)

    page.route("**/api/fill", delay)
    page.route("**/api/render", delay)
    slider = page.locator("#slider-0")
    for press in ("End", "Home", "ArrowRight", "End", "ArrowLeft", "PageDown"):
        slider.press(press)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+Shift+Z")
    settled(page)
    page.wait_for_timeout(1500)  # whatever is late comes now
    page.unroute_all(behavior="wait")
    assert not evaluate(page, "view", "view.rough")
    (region,) = state(page)["regions"]
    sent = {key: region[key] for key in ("model", "runs", "context", "seed", "c", "k")}
    asked = {"picture": editor.put(content).json()["sha256"], "regions": [sent], "part": "box"}
    exact = Image.open(io.BytesIO(base64.b64decode(editor.post("/api/render", asked).json()["png"])))
    np.testing.assert_array_equal(shown_result(page), np.asarray(exact))


def test_a_restart_of_the_server_is_not_noticed(tab: Tab, editor: Editor) -> None:
    page = tab()
    open_file(page, "a.png", file_of("RGB", HEIGHT, WIDTH))
    pull(page, (60, 60), (120, 90))
    settled(page)
    before = save(page, lambda: page.click("#download"))
    editor.stop()
    editor.start()
    assert save(page, lambda: page.click("#download")) == before


def test_a_recipe_in_a_fresh_tab(tab: Tab) -> None:
    page = tab()
    open_file(page, "a.png", file_of("deep", HEIGHT, WIDTH))
    pull(page, (60, 60), (120, 90))
    page.keyboard.press("n")
    page.keyboard.press("o")
    pull(page, (90, 70), (160, 130))
    settled(page)
    page.locator("#slider-2").press("End")
    settled(page)
    before = save(page, lambda: page.click("#download"))
    page.click("[popovertarget=more]")
    recipe = save(page, lambda: page.click("#save-recipe"))
    assert len(json.loads(recipe)["regions"]) == 2
    fresh = tab()
    open_file(fresh, "a.recipe.json", recipe, says="Done.")
    assert save(fresh, lambda: fresh.click("#download")) == before


# --- brushes ---

STROKE = [(70, 70), (90, 80), (110, 72)]


def paint(page: Any, key: str, *points: tuple[int, int]) -> None:
    page.keyboard.press(key)
    pull(page, *points)
    settled(page)


def test_paint_scrub_download_and_go_on_in_a_fresh_tab(tab: Tab, folder: Path, tmp_path: Path) -> None:
    page, content = tab(), file_of("RGBA", HEIGHT, WIDTH)
    open_file(page, "a.png", content)
    page.keyboard.press("r")
    pull(page, (50, 50), (130, 110))
    settled(page)
    page.locator("#slider-1").press("End")
    settled(page)
    filled = save(page, lambda: page.click("#download"))
    paint(page, "c", *STROKE)
    (region,) = state(page)["regions"]
    painted = save(page, lambda: page.click("#download"))
    (stroke,) = region["paint"]["strokes"]
    assert (stroke["points"][0], stroke["points"][-1]) == ([70, 70], [110, 72])
    assert region["paint"]["path"]["t"] == 1
    assert region["c"] == region["paint"]["path"]["end"]["c"]
    assert region["paint"]["path"]["start"]["c"][1] == 1

    way = page.locator("#path").bounding_box()
    middle = way["y"] + way["height"] / 2
    page.mouse.move(way["x"] + way["width"] - 8, middle)
    page.mouse.down()
    page.mouse.move(way["x"] + way["width"] / 2, middle, steps=5)
    page.mouse.up()
    settled(page)
    (half,) = state(page)["regions"]
    start, end = (half["paint"]["path"][name] for name in ("start", "end"))
    t = half["paint"]["path"]["t"]
    assert 0.4 < t < 0.6
    for name in ("z0", "c"):
        between = [(1 - t) * a + t * b for a, b in zip(start[name], end[name], strict=True)]
        assert half[name] == pytest.approx(between)
    saved = save(page, lambda: page.click("#download"))
    assert len({filled, painted, saved}) == 3
    mask = drawn_mask(page)
    old, new = (np.asarray(open_picture(file)) for file in (content, saved))
    np.testing.assert_array_equal(new[~mask], old[~mask])

    page.click("[popovertarget=more]")
    recipe = save(page, lambda: page.click("#save-recipe"))
    (tmp_path / "a.recipe.json").write_bytes(recipe)
    (tmp_path / "a.png").write_bytes(content)
    files = f"--recipe {tmp_path}/a.recipe.json --image {tmp_path}/a.png --out {tmp_path}/out.png"
    arguments = cli.parser().parse_args(f"complete --model {folder} {files}".split())
    arguments.command(arguments)
    assert (tmp_path / "out.png").read_bytes() == saved

    fresh = tab()
    open_file(fresh, "a.recipe.json", recipe, says="Done.")
    assert save(fresh, lambda: fresh.click("#download")) == saved
    fresh.locator("#path").press("Home")
    settled(fresh)
    assert save(fresh, lambda: fresh.click("#download")) == filled
    fresh.locator("#path").press("End")
    settled(fresh)
    assert save(fresh, lambda: fresh.click("#download")) == painted


def test_undo_of_what_was_painted_and_redo(tab: Tab) -> None:
    page = tab()
    open_file(page, "a.png", file_of("RGB", HEIGHT, WIDTH))
    page.keyboard.press("o")
    pull(page, (50, 50), (130, 110))
    settled(page)
    seen = [state(page)["regions"]]

    def did(deed: Callable[[], object]) -> None:
        deed()
        settled(page)
        seen.append(state(page)["regions"])

    did(lambda: paint(page, "c", *STROKE))
    did(lambda: paint(page, "k", (60, 95), (120, 95)))
    did(lambda: paint(page, "w", (90, 80), (100, 74)))
    assert [len(regions[0]["paint"]["strokes"]) for regions in seen] == [0, 1, 2, 3]
    did(lambda: page.locator("#candidate-row button").nth(2).click())
    did(lambda: page.locator("#smoothness").press("ArrowRight"))
    did(lambda: page.locator("#path").press("PageDown"))
    did(lambda: page.click("#fix"))
    (fixed,) = seen[-1]
    assert (fixed["paint"]["strokes"], fixed["paint"]["path"]) == ([], None)
    assert fixed["z0"] == seen[-2][0]["z0"]
    did(lambda: paint(page, "c", *STROKE))
    did(lambda: page.click("#unpaint"))
    assert seen[-1][0]["z0"] == fixed["z0"]
    did(lambda: page.locator("#slider-0").press("End"))
    for wanted in reversed(seen[:-1]):
        page.keyboard.press("Control+z")
        assert state(page)["regions"] == wanted
    page.keyboard.press("Control+z")
    assert state(page)["regions"] == []
    api.expect(page.locator("#undo")).to_be_disabled()
    for wanted in seen:
        page.keyboard.press("Control+Shift+Z")
        assert state(page)["regions"] == wanted
    api.expect(page.locator("#redo")).to_be_disabled()


def test_undo_ends_a_search_and_redo_begins_it_again(tab: Tab) -> None:
    page = tab()
    open_file(page, "a.png", file_of("RGB", HEIGHT, WIDTH))
    page.keyboard.press("r")
    pull(page, (50, 50), (130, 110))
    settled(page)
    (before,) = state(page)["regions"]

    def delay(route: Any) -> None:
        answer = route.fetch()
        time.sleep(0.2)
        route.fulfill(response=answer)

    page.route("**/api/paint", delay)
    page.keyboard.press("c")
    pull(page, *STROKE)
    page.keyboard.press("Control+z")
    page.wait_for_timeout(500)  # the answer that was under way
    assert state(page)["regions"] == [before]
    page.unroute_all(behavior="wait")
    page.keyboard.press("Control+Shift+Z")
    settled(page)
    (region,) = state(page)["regions"]
    assert not region["paint"]["pending"]
    assert region["c"] != before["c"]


def test_a_stroke_waits_for_generate(tab: Tab) -> None:
    page = tab()
    open_file(page, "a.png", file_of("RGB", HEIGHT, WIDTH))
    page.locator("#live").uncheck()
    for corner in (50, 140):  # two regions
        page.keyboard.press("n")
        page.keyboard.press("r")
        pull(page, (corner, 50), (corner + 60, 110))
        page.keyboard.press("c")
        pull(page, (corner + 20, 70), (corner + 40, 80))
    assert [region["paint"]["pending"] for region in state(page)["regions"]] == [True, True]
    page.click("#generate")
    settled(page)
    assert all(region["paint"]["path"] for region in state(page)["regions"])


def test_what_cannot_be_painted_has_not_been_done(tab: Tab) -> None:
    page = tab()
    open_file(page, "a.png", file_of("RGB", HEIGHT, WIDTH))
    status = page.locator("#status")
    page.keyboard.press("c")
    pull(page, *STROKE)
    api.expect(status).to_contain_text("Draw the region first")
    page.keyboard.press("r")
    pull(page, (50, 50), (130, 110))
    settled(page)
    before = state(page)
    page.keyboard.press("c")
    pull(page, (155, 80), (160, 85))
    api.expect(status).to_contain_text("no stroke lies in the region")
    assert state(page) == before
    page.locator("[data-part=lock]").click()
    page.locator("#canvas").press("c")
    pull(page, *STROKE)
    api.expect(status).to_contain_text("Region 1 is locked")
    assert not state(page)["regions"][0]["paint"]["strokes"]


def test_a_stroke_by_keyboard_alone_and_the_way_played(tab: Tab) -> None:
    page = tab()
    open_file(page, "a.png", file_of("RGB", HEIGHT, WIDTH))
    page.keyboard.press("r")
    pull(page, (50, 50), (130, 110))
    settled(page)
    page.get_by_text("Stroke by numbers", exact=True).press("Enter")
    page.locator("#stroke [name=brush]").press("c")
    for name, number in {"size": 9, "x": 70, "y": 70, "to_x": 100, "to_y": 75}.items():
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.name") == name
        page.keyboard.type(str(number))
    page.keyboard.press("Enter")
    settled(page)
    (region,) = state(page)["regions"]
    (stroke,) = region["paint"]["strokes"]
    assert (stroke["size"], stroke["points"]) == (9, [[70, 70], [100, 75]])
    page.locator("#canvas").press("p")
    api.expect(page.locator("#play")).to_have_attribute("aria-pressed", "true")
    api.expect(page.locator("#play")).to_have_attribute("aria-pressed", "false")
    assert state(page)["regions"] == [region]
    assert page.locator("#path").input_value() == "100"
    assert not evaluate(page, "view", "view.rough")


# --- hands of other kinds ---


def test_the_tour_by_keyboard_alone(tab: Tab) -> None:
    page = tab()

    def walk_to(selector: str) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"Tab does not lead to {selector}")

    walk_to("#example")
    page.keyboard.press("Enter")
    api.expect(page.locator("#status")).to_contain_text("cat.jpg, 451 × 300")
    walk_to("summary")
    page.keyboard.press("n")
    api.expect(page.locator("#status")).to_contain_text("Region 1")
    page.get_by_text("Place by numbers", exact=True).focus()
    page.keyboard.press("Enter")
    for number in ("120", "80", "90", "60"):
        page.keyboard.press("Tab")
        page.keyboard.type(number)
    page.keyboard.press("Enter")
    settled(page)
    assert mask_of(state(page)["regions"][0]["runs"], 300, 451)[80:140, 120:210].all()
    walk_to("#slider-0")
    page.keyboard.press("End")
    settled(page)
    assert state(page)["regions"][0]["c"][0] == 1
    page.keyboard.press("d")
    api.expect(page.locator("#dice-row button")).to_have_count(8)
    page.keyboard.press("Shift+Tab")  # towards the dice, which lie above
    for _ in range(12):
        if page.evaluate("() => document.activeElement.closest('#dice-row') !== null"):
            break
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    settled(page)
    assert state(page)["regions"][0]["seed"] > 0
    page.keyboard.press("Control+z")
    assert state(page)["regions"][0]["c"][0] == 1
    page.keyboard.press("Control+Shift+Z")
    page.keyboard.down("\\")
    assert evaluate(page, "view", "view.before")
    page.keyboard.up("\\")
    assert not evaluate(page, "view", "view.before")
    assert save(page, lambda: page.keyboard.press("s")).startswith(b"\x89PNG")


def test_no_key_acts_in_a_text_field_or_when_turned_off(tab: Tab) -> None:
    page = tab()
    open_file(page, "a.png", file_of("RGB", HEIGHT, WIDTH))
    pull(page, (60, 60), (120, 90))
    name = page.locator("[data-part=name]")
    name.fill("")
    name.press_sequentially("nose, or dee")
    name.press("Enter")
    (region,) = state(page)["regions"]
    assert region["name"] == "nose, or dee"
    assert evaluate(page, "tools", "tools.name") == "brush"
    page.locator("#canvas").press("?")
    page.locator("#use-keys").uncheck()
    page.click("#help button")
    page.locator("#canvas").press("r")
    assert evaluate(page, "tools", "tools.name") == "brush"


def test_two_fingers_pinch_and_a_pen_draws(tab: Tab) -> None:
    page = tab(has_touch=True)
    open_file(page, "a.png", file_of("RGB", HEIGHT, WIDTH))
    session = page.context.new_cdp_session(page)
    left, right = on_screen(page, 100, 100), on_screen(page, 160, 100)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        fingers = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    zoom = evaluate(page, "view", "view.zoom")
    touch("touchStart", left)
    touch("touchMove", (left[0] + 5, left[1]))
    touch("touchStart", left, right)
    touch("touchMove", (left[0] - 40, left[1]), (right[0] + 40, right[1]))
    touch("touchEnd", (left[0] - 40, left[1]))
    touch("touchMove", (left[0], left[1] + 30))
    touch("touchEnd")
    assert evaluate(page, "view", "view.zoom") > 1.2 * zoom
    assert state(page)["regions"] == []
    touch("touchStart", left)
    touch("touchEnd")
    assert drawn_mask(page).any()
    page.keyboard.press("Control+z")
    for kind, point in (("mousePressed", left), ("mouseMoved", right), ("mouseReleased", right)):
        pen = {"pointerType": "pen", "button": "left", "buttons": 1, "clickCount": 1}
        session.send("Input.dispatchMouseEvent", {"type": kind, "x": point[0], "y": point[1], **pen})
    assert drawn_mask(page).sum() > 100


def test_what_is_refused_is_said(tab: Tab) -> None:
    page = tab()
    open_file(page, "a.png", b"hello", says="not a picture of a known format")
    open_file(page, "r.json", b"{}", says="r.json is no recipe.")
    assert page.locator("#status").evaluate("(line) => line.className") == "error"
    open_file(page, "a.png", file_of("RGB", HEIGHT, WIDTH))
    page.keyboard.press("s")
    api.expect(page.locator("#status")).to_contain_text("No region is drawn")


def test_everything_has_a_name_and_fits_a_small_screen(tab: Tab) -> None:
    page = tab()
    open_file(page, "a.png", file_of("RGB", HEIGHT, WIDTH))
    pull(page, (60, 60), (120, 90))
    settled(page)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, canvas[tabindex]")]
          .filter((one) => !(one.ariaLabel ?? one.labels?.[0]?.textContent ?? one.textContent).trim())
          .map((one) => one.outerHTML)"""
    )
    assert not nameless
    for width in (320, 640, 1024):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
