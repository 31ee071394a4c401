"""`roigan paint`: strokes in files, on a photograph, in a region, on nothing; and what cannot be painted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from roigan.cli import main as cli
from roigan.config import PaintParams, ProjectParams
from roigan.inference.paint import carried_over, paint_picture
from roigan.inference.strokes import Strokes, Warp
from roigan.inference.windows import square
from roigan.systems.model import save_model
from tests.test_brushes import a_model
from tests.test_latent_search import prior

WIDE, HIGH = 71, 50
SQUARE = slice((WIDE - HIGH) // 2, (WIDE - HIGH) // 2 + HIGH)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Models, a picture and strokes in files."""
    whole = prior("dcgan")
    random = torch.Generator().manual_seed(0)
    for parameter in whole.G.parameters():  # an untrained G has no gradient at z = 0
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=random)
    for name, model in (("prior", whole), ("region", a_model())):
        save_model(tmp_path / name, model.nets, model.config)
    rows = np.linspace(30, 220, HIGH)[:, None, None] + np.linspace(-30, 30, WIDE)[None, :, None]
    Image.fromarray((rows + np.array([0, 10, -10])).clip(0, 255).astype(np.uint8)).save(tmp_path / "in.png")
    for name, (width, height) in {"": (WIDE, HIGH), "32": (32, 32)}.items():
        painted = np.zeros((height, width, 4), np.uint8)
        painted[10:26, width // 2 - 8 : width // 2 + 8] = 255, 0, 0, 255
        Image.fromarray(painted).save(tmp_path / f"colour{name}.png")
        drawn = np.zeros((height, width), np.uint8)
        drawn[20, width // 2 - 10 : width // 2 + 10] = 255
        Image.fromarray(drawn).save(tmp_path / f"sketch{name}.png")
        Image.fromarray(np.zeros((height, width), np.uint8)).save(tmp_path / f"empty{name}.png")
    mask = np.zeros((HIGH, WIDE), np.uint8)
    mask[8:40, 20:52] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, model: str, out: str, *arguments: object) -> int:
    files = [folder / a if str(a).endswith(".png") else a for a in arguments]
    command = ["paint", "--model", folder / model, "--out", folder / out, *files]
    monkeypatch.setattr("sys.argv", ["roigan", *map(str, command)])
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


def test_a_photograph_follows_a_stroke_and_stays_outside_the_square(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strokes = ("--colour", "colour.png", "--sketch", "sketch.png", "--warp", "35,25,4,0,10")
    assert run(monkeypatch, folder, "prior", "out.png", "--image", "in.png", *strokes) == 0
    before, after = pixels(folder / "in.png"), pixels(folder / "out.png")
    assert after.shape == before.shape
    assert np.array_equal(np.delete(after, SQUARE, 1), np.delete(before, SQUARE, 1))
    assert (after != before).any()


def test_where_nothing_moves_the_photograph_stays_bit_for_bit(folder: Path) -> None:
    picture = Image.open(folder / "in.png")
    same = carried_over(picture, square(picture), prior("dcgan").generate(torch.zeros(3, 16)))
    assert same.tobytes() == picture.tobytes()
    still = paint_picture(
        prior("dcgan"), picture, Strokes([folder / "colour.png"]), PaintParams(steps=0),
        torch.Generator(), ProjectParams(steps=2),
    )  # fmt: skip
    assert isinstance(still, Image.Image)
    assert still.tobytes() == picture.tobytes()


def test_a_region_follows_a_stroke_and_the_rest_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = pixels(folder / "mask.png") > 127
    strokes = ("--image", "in.png", "--mask", "mask.png", "--colour", "colour.png")
    assert run(monkeypatch, folder, "region", "out.png", *strokes) == 0
    before, after = pixels(folder / "in.png"), pixels(folder / "out.png")
    assert np.array_equal(after[~mask], before[~mask])
    assert (after[mask] != before[mask]).any()


def test_an_image_from_nothing_but_strokes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strokes = ("--colour", "colour32.png", "--sketch", "sketch32.png")
    for n, out in ((1, "one.png"), (8, "eight.png")):
        assert run(monkeypatch, folder, "prior", out, *strokes, "--candidates", n) == 0
    painted = pixels(folder / "colour32.png")[..., 3] > 0
    one, eight = (
        np.square(pixels(folder / f"{out}.png")[painted] - [255, 0, 0]).mean() for out in ("one", "eight")
    )
    assert eight <= one * 1.05  # the sketch counts as well


def test_strokes_larger_than_the_model_are_brought_to_its_size(folder: Path) -> None:
    from roigan.inference.strokes import constraints

    image = torch.zeros(3, 32, 32)
    where = square(Image.open(folder / "in.png"))
    colour, sketch = constraints(
        Strokes([folder / "colour.png"], [folder / "sketch.png"]), (WIDE, HIGH), where, image, PaintParams()
    )
    rows = colour.B[0].any(1).nonzero()[:, 0].tolist()
    assert (rows[0], rows[-1]) == (10 * 32 // 50, 25 * 32 // 50)
    assert torch.allclose(colour.v[:, 10, 16], torch.tensor([1.0, -1, -1]), atol=1e-5)
    assert sketch.B.any()
    patch, _ = constraints(
        Strokes(warps=[Warp(35, 25, 10, 0, 25)]), (WIDE, HIGH), where, image, PaintParams()
    )
    assert patch.B.sum() == 16 * 16  # 25 of 50 pixels


@pytest.mark.parametrize(
    ("model", "arguments", "why"),
    [
        ("prior", ("--image", "in.png"), "nothing is asked for"),
        (
            "prior",
            ("--image", "in.png", "--colour", "colour32.png"),
            "is 32x32 pixels, but what it paints on",
        ),
        ("prior", ("--image", "in.png", "--colour", "in.png"), "has no alpha channel"),
        ("prior", ("--image", "in.png", "--sketch", "empty.png"), "no white line"),
        ("prior", ("--image", "in.png", "--warp", "2,2,3,3,8"), "begins outside the square"),
        ("prior", ("--image", "in.png", "--warp", "2,2,3"), "five numbers are needed"),
        ("prior", ("--image", "in.png", "--warp", "35,25,90,0,8"), "nothing of it stays inside"),
        ("prior", ("--image", "in.png", "--mask", "mask.png", "--colour", "colour.png"), "cannot complete"),
        ("region", ("--image", "in.png", "--colour", "colour.png"), "roigan does not generate whole images"),
        ("region", ("--colour", "colour32.png"), "roigan does not generate whole images"),
        (
            "region",
            ("--image", "in.png", "--mask", "mask.png", "--warp", "56,25,1,1,4"),
            "no stroke lies in the region",
        ),
    ],
)
def test_what_cannot_be_painted_is_said_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: str,
    arguments: tuple[str, ...], why: str,
) -> None:  # fmt: skip
    assert run(monkeypatch, folder, model, "out.png", *arguments) == 2
    error = capsys.readouterr().err
    assert why in error
    assert error.count("\n") == 1
    assert not (folder / "out.png").exists()
