"""The panel: a page that tells nobody which method made a picture, and what people's answers add up to."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from roigan.apps.panel.panel import judged, write_panel
from roigan.cli import main as cli
from roigan.errors import UserError

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Four pictures of each of two methods, whose names stand in the files as well."""
    rng, made = np.random.default_rng(0), {}
    for method in ("chromagan", "nearest"):
        made[method] = tmp_path / method
        made[method].mkdir()
        for number in range(4):
            note = PngInfo()
            note.add_text("Software", method)
            picture = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
            picture.save(made[method] / f"{method}-{number}.png", pnginfo=note)
    return made


def embedded(page: Path) -> list[np.ndarray]:
    found = re.search(r"const PICTURES = (\[.*?\]);", page.read_text())
    assert found
    contents = [base64.b64decode(text) for text in json.loads(found[1])]
    assert not [content for content in contents if b"chromagan" in content or b"nearest" in content]
    return [np.asarray(Image.open(io.BytesIO(content))) for content in contents]


def test_the_page_shows_the_pictures_of_its_key_and_names_no_method(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    key = write_panel(folders, page, each=3, seconds=5, seed=1)
    assert not re.search("chromagan|nearest", page.read_text())
    rows, pictures = pd.read_csv(key), embedded(page)
    assert rows["method"].value_counts().to_dict() == {"chromagan": 3, "nearest": 3}
    assert rows["method"].tolist() != sorted(rows["method"])
    for number, method, file in rows.itertuples(index=False):
        np.testing.assert_array_equal(pictures[number], np.asarray(Image.open(folders[method] / file)))
    again = write_panel(folders, tmp_path / "again.html", each=3, seconds=5, seed=1)
    assert again.read_bytes() == key.read_bytes()


def test_shares_have_wilsons_interval(tmp_path: Path) -> None:
    """4 of 10 at z = 1.96: centre (0.4 + z^2/20) / (1 + z^2/10)."""
    key, answers = tmp_path / "p.key.csv", tmp_path / "a.csv"
    key.write_text("picture,method,file\n0,real,a.png\n1,grey,b.png\n")
    rows = [f"0,{int(i < 4)},1.5" for i in range(10)] + ["1,0,2.0"] * 3
    answers.write_text("picture,natural,seconds\n" + "\n".join(rows) + "\n")
    table = judged([answers], key).set_index("method")
    z = 1.959964
    centre = (0.4 + z**2 / 20) / (1 + z**2 / 10)
    half = z / (1 + z**2 / 10) * np.sqrt(0.4 * 0.6 / 10 + z**2 / 400)
    assert table.loc["real", ["n", "natural", "seconds"]].tolist() == [10, 0.4, 1.5]
    assert table.loc["real", ["low", "high"]].tolist() == pytest.approx([centre - half, centre + half])
    assert table.loc["grey", "natural"] == 0
    assert judged([answers, answers], key)["n"].tolist() == [20, 6]


@pytest.mark.parametrize(
    ("key", "answers", "says"),
    [
        ("picture,method,file\n0,real,a.png\n", "picture,natural,seconds\n7,1,1\n", "no picture 7"),
        ("picture,method,file\n0,real,a.png\n", "picture,natural,seconds\n0,2,1\n", "something else"),
        ("picture,method,file\n0,real,a.png\n", "a,b\n1,2\n", "no table of picture, natural, seconds"),
        ("", "picture,natural,seconds\n0,1,1\n", "no table of picture, method, file"),
    ],
)
def test_files_that_are_no_answers_are_named(key: str, answers: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "k.csv").write_text(key)
    (tmp_path / "a.csv").write_text(answers)
    with pytest.raises(UserError, match=says):
        judged([tmp_path / "a.csv"], tmp_path / "k.csv")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--images", "a"], "'a' is not METHOD=FOLDER"),
        (["--images", "a=none"], "--out is missing"),
        (["--images", "a=none", "--out", "p.html"], "none does not exist"),
        (["--images", "a=none", "a=none", "--out", "p.html"], "the same method"),
        (["--answers", "a.csv"], "--key is missing"),
        (["--answers", "a.csv", "--key", "k.csv"], "k.csv does not exist"),
        ([], "one of the arguments --images --answers is required"),
    ],
)
def test_a_command_that_cannot_be_is_one_line(
    words: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["roigan", "panel", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (2, 1)
    assert says in said
    assert not list(tmp_path.iterdir())


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is on the PATH")
def test_a_panelist_answers_by_keys(folders: dict[str, Path], tmp_path: Path) -> None:
    """A picture goes after its seconds and may still be answered; what is saved fits the key."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    key = write_panel(folders, tmp_path / "page.html", each=2, seconds=1, seed=0)
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page, said = browser.new_page(), []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto((tmp_path / "page.html").as_uri())
        page.keyboard.press("y")  # before the beginning: nothing
        page.click("#begin")
        api.expect(page.locator("#progress")).to_have_text("1 of 4")
        api.expect(page.locator("#stage img")).to_have_count(1)
        api.expect(page.locator("#stage img")).to_have_count(0, timeout=5000)
        for pressed in "yn":
            page.keyboard.press(pressed)
        api.expect(page.locator("#progress")).to_have_text("3 of 4")
        page.click("#no")
        page.keyboard.press("Y")
        with page.expect_download() as download:
            page.keyboard.press("Enter")  # the focus lies on it
        download.value.save_as(tmp_path / "answers.csv")
        browser.close()
    assert not said
    answers = pd.read_csv(tmp_path / "answers.csv")
    assert sorted(answers["picture"]) == [0, 1, 2, 3]
    assert answers["natural"].tolist() == [1, 0, 0, 1]
    assert answers["seconds"][0] >= 1
    assert judged([tmp_path / "answers.csv"], key)["n"].tolist() == [2, 2]
