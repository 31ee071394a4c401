"""Hints of colour: their closed form, and what they leave alone in a picture."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from roigan.cli import main as cli
from roigan.config.systems.chromagan import ChromaGANModel
from roigan.corruptions.corruption import SPACES
from roigan.images.hints import LIKENESS, REACH, spread
from roigan.inference.hints import read_hints
from roigan.inference.inpaint import complete_picture
from roigan.systems.chromagan.system import Generator
from roigan.systems.model import Model, save_model

SIDE = 20


def one_hint(at: tuple[int, int], by: float) -> tuple[torch.Tensor, torch.Tensor]:
    """a of one pixel is given as `by`, b as -`by`."""
    given, weight = torch.zeros(2, SIDE, SIDE), torch.zeros(SIDE, SIDE)
    given[0][at], given[1][at], weight[at] = by, -by, 1.0
    return given, weight


def test_a_hint_fades_with_distance_and_with_lightness() -> None:
    """REACH is three pixels here: exp(-1/2) of a hint is left there, and as much of it LIKENESS further."""
    t = torch.zeros(3, SIDE, SIDE)
    t[0, 10, 14] = LIKENESS
    moved = spread(t, *one_hint((10, 10), 0.4))
    assert round(REACH * SIDE) == 3
    assert moved[0].equal(t[0])
    assert moved[1, 10, 10].item() == pytest.approx(0.4)
    assert moved[1, 10, 13].item() == pytest.approx(0.4 * math.exp(-1 / 2))
    assert moved[1, 7, 10].item() == pytest.approx(0.4 * math.exp(-1 / 2))
    assert moved[1, 10, 14].item() == pytest.approx(0.4 * math.exp(-(4**2) / 18 - 1 / 2))
    assert moved[1, 10, 6].item() == pytest.approx(0.4 * math.exp(-(4**2) / 18))
    torch.testing.assert_close(moved[2], -moved[1])


def test_many_hints_are_averaged_and_none_change_nothing() -> None:
    t = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    t[0] = 0
    everywhere = torch.full((2, SIDE, SIDE), 0.3)
    assert spread(t, everywhere, torch.zeros(SIDE, SIDE)).equal(t)
    flat = torch.cat([t[:1], torch.full((2, SIDE, SIDE), 0.1)])
    torch.testing.assert_close(spread(flat, everywhere, torch.ones(SIDE, SIDE))[1:], everywhere)
    own = spread(t, t[1:], torch.ones(SIDE, SIDE))  # what is given is there already
    torch.testing.assert_close(own, t)


@pytest.fixture(scope="module")
def painter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model of pale colours that nobody has trained."""
    torch.manual_seed(0)
    G = Generator(32, 3, ChromaGANModel(system="chromagan", width=0.125))
    nn.init.normal_(G.decoder[-1].weight, std=0.05)
    folder = tmp_path_factory.mktemp("painter")
    model = ChromaGANModel(system="chromagan", width=0.125).model_dump()
    save_model(folder, {"G": G}, {"system": "chromagan", "image_size": 32, "channels": 3, "model": model})
    return folder


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A grey picture, dark on its left, and a hint of red in the dark half."""
    rng = np.random.default_rng(0)
    grey = np.where(np.arange(96) < 48, 80, 190) + rng.integers(-5, 6, (64, 96))
    Image.fromarray(grey.astype(np.uint8)).save(tmp_path / "grey.png")
    hints = np.zeros((64, 96, 4), np.uint8)
    hints[20:30, 10:20] = (200, 40, 40, 255)
    hints[0, 0] = (9, 200, 9, 127)  # too clear to count
    Image.fromarray(hints).save(tmp_path / "hints.png")
    return tmp_path


def lab_of(picture: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(picture.astype(np.float32) / 127.5 - 1).movedim(-1, 0)[None]
    return SPACES["lab"].to(x)[0].movedim(0, -1).numpy() * [50, 128, 128]


def test_what_is_given_is_kept_and_what_is_like_it_follows(painter: Path, files: Path) -> None:
    model, hints = Model.load(painter), read_hints(files / "hints.png")
    assert hints.known.sum() == 100
    grey = Image.open(files / "grey.png").convert("RGB")
    mask = np.ones((64, 96), bool)
    mask[40:] = False
    plain, hinted = (np.asarray(complete_picture(model, grey, mask, hints=given)) for given in (None, hints))
    before, after, given = (lab_of(each) for each in (plain, hinted, np.full((1, 1, 3), (200, 40, 40))))
    np.testing.assert_array_equal(hinted[40:], np.asarray(grey)[40:])
    assert np.abs(after[:40, :, 0] - lab_of(np.asarray(grey))[:40, :, 0]).max() < 0.5
    kept = after[20:30, 10:20, 1:]  # as far as its lightness allows
    assert np.abs(kept / np.linalg.norm(kept, axis=-1, keepdims=True) * np.linalg.norm(given[..., 1:])
                  - given[..., 1:]).max() < 4  # fmt: skip
    shift = np.abs(after - before)[..., 1:].sum(-1)
    assert shift[20:30, 22:26].mean() > 10 * shift[20:30, 60:].mean()  # the same lightness, the other one
    assert shift[20:30, 22:26].mean() > 10


@pytest.mark.parametrize(
    ("hints", "says"),
    [
        (Image.new("RGB", (96, 64)), "has no alpha channel"),
        (Image.new("RGBA", (96, 64)), "is clear everywhere"),
        (Image.new("RGBA", (64, 96), "red"), "the hints are 64x96 pixels, the picture 96x64"),
    ],
)
def test_hints_that_cannot_be_are_one_line(
    hints: Image.Image,
    says: str,
    painter: Path,
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hints.save(files / "bad.png")
    words = ["--model", str(painter), "--colour", "--image", str(files / "grey.png")]
    words += ["--hints", str(files / "bad.png"), "--out", str(files / "out.png")]
    monkeypatch.setattr(sys, "argv", ["roigan", "complete", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err.splitlines()
    assert (ended.value.code, len(said)) == (2, 1)
    assert says in said[0]
    assert not (files / "out.png").exists()
