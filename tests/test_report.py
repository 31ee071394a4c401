"""The report: best values, words about D, figures, and a page that is whole in itself."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor

from roigan.config import load_params
from roigan.corruptions.cache import save_cache
from roigan.corruptions.sampling import sample
from roigan.errors import UserError
from roigan.images.blending import complete
from roigan.report import figures
from roigan.report import page as report

SIZE = 16


@pytest.fixture
def table() -> pd.DataFrame:
    columns = ["method", "mask", "n", "fid", "kid", "l1", "psnr", "ssim", "border", "diversity"]
    rows = [
        ("roigan", "ellipse", 6, 20.0, 0.02, 0.20, 18.0, 0.7, 1.3, 0.05),
        ("fmm", "ellipse", 6, 60.0, 0.07, 0.10, 20.0, 0.8, 0.6, 0.0),
        ("nearest", "ellipse", 6, 15.0, 0.01, 0.30, 17.0, 0.6, 2.8, 0.0),
        ("real", "ellipse", 6, 5.0, 0.00, 0.0, float("inf"), 1.0, 1.0, float("nan")),
    ]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def history() -> pd.DataFrame:
    return pd.DataFrame({"step": [10, 20, 30, 40], "epoch": [1, 2, 3, 4], "G/adv": [0.1, 0.3, 0.4, 0.5],
                         "D/adv": [2.0, 1.7, 1.5, 1.4], "images_per_s": [9.0] * 4})  # fmt: skip


@pytest.fixture
def page(table: pd.DataFrame, history: pd.DataFrame) -> str:
    gate = {"gate": "fid under <ellipse> & co", "value": 70.0, "bound": 60.0, "passed": False}
    promotion = {"name": "<script>alert(1)</script>", "promoted": False, "gates": [gate],
                 "features": {"network": "local", "sha256": "ab" * 32}}  # fmt: skip
    control = pd.DataFrame(
        [("c0", 0.91, 0.0, 0.1, 0.0, 0.5), ("k0", 0.12, 0.1, 0.01, 0.0, 0.1)],
        columns=["control", "read", "chance", "effect", "leakage", "consistency"],
    )
    picture = report.shown("a <b>title</b>", np.zeros((4, 4, 3), np.uint8), 'a "caption"')
    sections = {
        name: [picture]
        for name in ("completions", "more", "sliders", "codes", "independence", "samples", "losses", "data")
    }
    way = [("data", "<img src=x>", "0123"), ("run", "somewhere", "")]
    return report.render(load_params(), table, control, history, promotion, way, sections)


def test_best_is_marked_among_the_competitors_only(table: pd.DataFrame) -> None:
    rows = {row.method: row.cells for row in report.table_rows(table)}
    best = {name: [text for text, best in cells if best] for name, cells in rows.items()}
    assert best == {
        "RoI-GAN": ["1.30", "0.0500"],  # the border nearest to 1, and the only diversity
        "FMM": ["0.1000", "20.00", "0.800"],
        "nearest": ["15.00", "0.0100"],
        "real": [],
    }
    assert rows["real"][-1][0] == "–"


def test_equal_values_and_a_lone_method_are_not_best(table: pd.DataFrame) -> None:
    table["fid"] = 7.0
    assert not any(row.cells[0][1] for row in report.table_rows(table))
    assert not any(best for row in report.table_rows(table[:1]) for _, best in row.cells)


@pytest.mark.parametrize(
    ("hinge", "well", "word"),
    [
        ([2.0, 2.0, 1.99, 2.01], False, "dead"),
        ([1.4, 1.7, 1.98, 2.0, 2.0, 2.0], False, "dead"),
        ([2.0, 2.0, 1.6, 1.4], True, "alive"),
        ([2.0, 0.5, 0.01, 0.02], False, "outright"),
    ],
)
def test_the_report_says_when_the_discriminator_is_dead(hinge: list[float], well: bool, word: str) -> None:
    verdict = report.training_verdict(pd.DataFrame({"D/adv": hinge}), dead=2.0)
    assert verdict[0] is well
    assert word in verdict[1].split(":")[0]


def test_the_report_says_when_the_controls_do_not_act() -> None:
    control = pd.DataFrame({"control": ["c0", "c1", "k0"], "read": [0.9, 0.8, 0.4]})
    well, said = report.control_verdict(control)
    assert not well
    assert "R² of 0.85" in said
    assert "accuracy of 0.40" in said
    assert report.control_verdict(control[:2])[0]
    assert report.control_verdict(control[:0]) == (True, "")


def test_dead_value_follows_the_weight(history: pd.DataFrame) -> None:
    halved = history.assign(**{"D/adv": [1.0, 1.0, 1.0, 1.0]})
    assert report.training_verdict(halved, dead=1.0)[0] is False
    assert report.training_verdict(halved, dead=2.0)[0] is True


def test_page_escapes_what_it_is_given(page: str) -> None:
    assert "<script" not in page
    assert "<img src=x>" not in page
    assert "a <b>title</b>" not in page
    assert "fid under &lt;ellipse&gt; &amp; co" in page


def test_page_is_whole_in_itself(page: str) -> None:
    fetched = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            fetched.extend(value for name, value in attributes if name in ("src", "href", "srcset"))

    Links().feed(page)
    assert len(fetched) == 8
    assert all(uri.startswith("data:image/png;base64,") for uri in fetched)
    assert not re.search(r"https?://|@import|url\(", page)
    image = Image.open(io.BytesIO(base64.b64decode(fetched[0].partition(",")[2])))
    assert image.size == (4, 4)


def test_a_model_without_controls_has_no_section_of_them(
    page: str, table: pd.DataFrame, history: pd.DataFrame
) -> None:
    promotion = {"name": "x", "promoted": True, "gates": [], "features": {"network": "local", "sha256": "ab"}}
    picture = [report.shown("", np.zeros((4, 4, 3), np.uint8))]
    sections = dict.fromkeys(("completions", "more", "samples", "losses", "data"), picture)
    nothing = {"sliders": [], "codes": [], "independence": []}
    control = pd.DataFrame(columns=["control", "read", "chance", "effect", "leakage", "consistency"])
    bare = report.render(load_params(), table, control, history, promotion, [], sections | nothing)
    for heading in ("<h2>Control</h2>", "<h2>Sliders and codes</h2>"):
        assert heading in page
        assert heading not in bare


def test_page_tells_the_verdict_and_the_features(page: str) -> None:
    assert "Not promoted." in page
    assert "✗ failed" in page
    assert "70 against 60" in page
    assert "abababababababab" in page
    assert "went from 2.00 to 1.40" in page


def test_lineage_names_every_hash() -> None:
    tags = {"masks": "mmm", "sha256": "www", "git.commit": "ccc"}
    version = SimpleNamespace(name="roigan", version=3, run_id="rrr", tags=tags)
    statistics = {
        "counts": {"train": 5, "val": 1, "test": 2},
        "image_size": 64,
        "source": "photos",
        "data": "ddd",
    }
    features, judge = {"network": "local", "sha256": "fff"}, {"network": "local", "sha256": "jjj"}
    way = report.way_of_the_data(load_params(), statistics, features, judge, version)
    assert [hash for _, _, hash in way if len(hash) == 3] == ["ddd", "mmm", "fff", "jjj", "rrr", "www"]
    assert [step for step, _, _ in way] == [
        "data", "masks", "features", "judge", "parameters", "run", "version",
    ]  # fmt: skip
    assert "5 train" in way[0][1]
    assert "ccc" in way[5][1]
    assert "flatter" not in way[3][1]
    assert "flatter" in report.way_of_the_data(load_params(), statistics, features, features, version)[3][1]


def test_missing_outputs_are_one_clear_line(tmp_path: Path) -> None:
    for read in (report.read_json, report.read_table, report.png):
        with pytest.raises(UserError, match=r"absent does not exist; run dvc repro"):
            read(tmp_path / "absent")
    assert report.first_middle_last(tmp_path) == []


def test_first_middle_last(tmp_path: Path) -> None:
    for step in (0, 100, 200, 300, 400):
        (tmp_path / f"{step:06d}.png").touch()
    assert [path.stem for path in report.first_middle_last(tmp_path)] == ["000000", "000200", "000400"]


def test_pick_spreads_over_the_set_and_wraps_the_masks(tmp_path: Path) -> None:
    images = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((1, SIZE, SIZE, 3), np.uint8)
    masks = sample("ellipse", 4, SIZE, torch.Generator().manual_seed(0))
    save_cache(tmp_path / "ellipse.npz", masks)
    x, M = figures.pick(images, tmp_path / "ellipse.npz", 3)
    rows = [0, 4, 9]
    assert ((x[:, 0, 0, 0] + 1) * 127.5).round().tolist() == rows
    assert torch.equal(M, masks[[row % 4 for row in rows]])
    assert len(figures.pick(images[:2], tmp_path / "ellipse.npz", 8)[0]) == 2


def test_comparison_shows_every_method_in_its_row() -> None:
    x, M = torch.full((3, 1, SIZE, SIZE), -1.0), torch.zeros(3, 1, SIZE, SIZE)
    M[..., 4:12, 4:12] = 1
    white = lambda x, M, generator: complete(x, torch.ones_like(x), M)  # noqa: E731
    picture = figures.comparison({"white": white}, x, M, seed=0)
    tile = SIZE * (figures.TILE // SIZE)
    left = picture.shape[1] - 3 * (tile + 2) - 2
    centres = [2 + tile // 2 + row * (tile + 2) for row in range(3)]
    assert picture.shape[0] == 3 * (tile + 2) + 2
    for column in range(3):
        levels = [int(picture[y, left + 2 + tile // 2 + column * (tile + 2), 0]) for y in centres]
        assert levels == [0, 128, 255]  # real, masked, completed


def test_known_pixels_that_a_free_method_changes_are_marked() -> None:
    x, M = torch.full((1, 1, SIZE, SIZE), -1.0), torch.ones(1, 1, SIZE, SIZE)
    M[..., 0, :2] = 0
    near = x.clone()
    near[..., 0, 1] = 1.0  # the first known pixel is met, the second is not
    picture = figures.comparison({}, x, M, 0, {"free": lambda x, M, generator: near})
    scale = figures.TILE // SIZE
    tile = SIZE * scale
    left, top = picture.shape[1] - tile - 2, 2 + 2 * (tile + 2)
    seen = [tuple(picture[top + 1, left + scale * column + 1]) for column in range(3)]
    assert seen == [figures.MET, figures.MISSED, (0, 0, 0)]


class Painter:
    """A model whose first slider sets the region's grey level, as does its first code, and whose others do
    nothing."""

    sliders, codes, values = 3, 2, 4

    def latent(self, n: int, generator: torch.Generator, c: Any, k: Any) -> Tensor:
        level = c[:1] + k[:1] / 3
        return torch.cat([torch.randn(n, 5, generator=generator), level.expand(n, -1)], 1)

    def complete(self, x: Tensor, M: Tensor, z: Tensor) -> Tensor:
        return complete(x, z[:, 5, None, None, None].expand_as(x), M)


def test_sweeps_move_one_control_and_measure_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}
    monkeypatch.setattr(figures, "labelled", lambda rows: seen.update(rows))
    M = torch.zeros(1, 1, SIZE, SIZE)
    M[..., 4:8, 4:8] = 1
    figures.sliders(Painter(), torch.zeros(1, 3, SIZE, SIZE), M, seed=0)
    figures.codes(Painter(), torch.zeros(1, 3, SIZE, SIZE), M, seed=0)
    assert list(seen) == ["c0  255.0", "c1  0.0", "c2  0.0", "k0  127.5", "k1  0.0"]
    assert [len(pictures) for pictures in seen.values()] == [9, 9, 9, 4, 4]
