"""The command line as a user meets it: what is written, one line for what is wrong, exit code 2."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import unicodedata
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from roigan.cli import main as cli
from roigan.config import RoIGANModel, load_params
from roigan.errors import UserError
from roigan.image_io import contents
from roigan.inference import inpaint as edit
from roigan.inference.jobs import Failures, pairs, read_batches
from roigan.systems.model import Model, save_model
from roigan.systems.roigan.networks import Generator
from roigan.tracking import promotion, registry
from tests.conftest import ROOT

SIZE = 16


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder, untrained."""
    folder = tmp_path_factory.mktemp("model")
    params = RoIGANModel(system="roigan", width=0.1, noise=8, sliders=3, codes=2, values=4)
    torch.manual_seed(0)
    config = {"system": "roigan", "image_size": SIZE, "channels": 3, "model": params.model_dump()}
    save_model(folder, {"G": Generator(SIZE, 3, params)}, config)
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with in.png, mask.png and the folders images/ and masks/ with two of each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    rng = np.random.default_rng(0)
    for number, (image, mask) in enumerate(
        [("in.png", "mask.png"), ("images/a.jpg", "masks/a.png"), ("images/b.tif", "masks/b.gif")]
    ):
        (tmp_path / image).parent.mkdir(exist_ok=True)
        (tmp_path / mask).parent.mkdir(exist_ok=True)
        pixels = rng.integers(0, 256, (20 + number, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / image)
        region = np.zeros((20 + number, 30), np.uint8)
        region[4:10, 6:15] = 255
        Image.fromarray(region).save(tmp_path / mask)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Call `roigan ARGUMENTS`; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["roigan", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def complete(
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    *more: Any,
    image: str = "in.png",
    mask: str = "mask.png",
    out: str = "out.png",
) -> int:
    given = ("--model", model, "--image", image, "--mask", mask, "--out", out)
    return run(monkeypatch, "complete", *given, *more)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_one_picture(monkeypatch: pytest.MonkeyPatch, here: Path, model: Path) -> None:
    assert complete(monkeypatch, model) == 0
    before, after = pixels("in.png"), pixels("out.png")
    M = np.asarray(Image.open("mask.png")) > 127
    np.testing.assert_array_equal(after[~M], before[~M])
    assert (after[M] != before[M]).any(-1).mean() > 0.9


def test_several_seeds_make_several_files(monkeypatch: pytest.MonkeyPatch, here: Path, model: Path) -> None:
    assert complete(monkeypatch, model, "--seed", 3, 4, 3) == 0
    assert sorted(path.name for path in here.glob("out*")) == ["out-3.png", "out-4.png"]
    assert (pixels("out-3.png") != pixels("out-4.png")).any()
    assert complete(monkeypatch, model, "--seed", 4) == 0
    np.testing.assert_array_equal(pixels("out.png"), pixels("out-4.png"))


def test_sliders_may_begin_with_a_minus(monkeypatch: pytest.MonkeyPatch, here: Path, model: Path) -> None:
    assert complete(monkeypatch, model, "--c", "-1,0.5", "--k", "3,0", out="a.png") == 0
    assert complete(monkeypatch, model, "--c=-1,0.5,0", "--k", "3", out="b.png") == 0
    assert complete(monkeypatch, model, "--c", "1,0.5", "--k", "3", out="c.png") == 0
    assert complete(monkeypatch, model, "--c", "-.5", "--seed", "1", out="-1.png") == 0
    assert (here / "-1.png").is_file()
    np.testing.assert_array_equal(pixels("a.png"), pixels("b.png"))
    assert (pixels("a.png") != pixels("c.png")).any()


def test_folders_are_paired_by_name(
    monkeypatch: pytest.MonkeyPatch, here: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert complete(monkeypatch, model, "--seed", 1, 2, image="images", mask="masks", out="done") == 0
    names = sorted(path.name for path in (here / "done").iterdir())
    assert names == ["a-1.png", "a-2.png", "b-1.png", "b-2.png"]
    assert "4/4" in capsys.readouterr().err  # progress
    with Image.open("masks/b.gif") as gif:
        M = np.asarray(gif.convert("L")) > 127
    np.testing.assert_array_equal(pixels("done/b-1.png")[~M], pixels("images/b.tif")[~M])


def test_every_picture_of_a_folder_has_its_own_z(
    monkeypatch: pytest.MonkeyPatch, here: Path, model: Path
) -> None:
    """One z for all would make a set of completions less diverse than the model is, and raise FID."""
    (here / "same").mkdir()
    for name in ("x", "y"):
        shutil.copyfile("in.png", f"same/{name}.png")

    def completed(out: str, *more: object) -> list[np.ndarray]:
        assert complete(monkeypatch, model, *more, image="same", mask="mask.png", out=out) == 0
        return [pixels(here / out / f"{name}.png") for name in ("x", "y")]

    x, y = completed("done")
    assert not np.array_equal(x, y)
    np.testing.assert_array_equal([x, y], completed("again"))
    one, other = completed("one", "--same-z")
    np.testing.assert_array_equal(one, other)
    assert complete(monkeypatch, model, out="alone.png") == 0
    np.testing.assert_array_equal(one, pixels(here / "alone.png"))


def test_one_mask_may_serve_a_folder(monkeypatch: pytest.MonkeyPatch, here: Path, model: Path) -> None:
    (here / "images/a.jpg").unlink()
    assert complete(monkeypatch, model, image="images", mask="masks/b.gif", out="done") == 0
    assert (here / "done/b.png").is_file()


@pytest.mark.parametrize(
    ("change", "more", "complaint"),
    [
        ({"out": "out.jpg"}, (), "only .png and .tif keep"),
        ({"out": "in.png"}, (), "--out would overwrite in.png"),
        ({"out": "images"}, (), "--out images is a folder"),
        ({"image": "none.png"}, (), "none.png does not exist"),
        ({"mask": "masks/b.gif"}, (), "masks/b.gif: the mask is 30x22 pixels, the image 30x20"),
        ({"mask": "masks"}, (), "--mask masks is a folder"),
        ({"mask": "black.png"}, (), "black.png: the mask is empty"),
        ({"mask": "text.png"}, (), "text.png cannot be read"),
        ({"image": "images", "mask": "masks"}, (), "so --out must be one too"),
        ({"image": "images", "mask": "lone", "out": "done"}, (), "1 of 2 images have no mask in lone: b.tif"),
        ({"model": "nowhere"}, (), "model nowhere is neither a folder nor models:/"),
        ({"model": "lone"}, (), "lone is not a model folder"),
        ({"model": "models:/roigan@champion"}, (), "no project lies here"),
        ({"model": "models:/roigan"}, (), "names no version"),
        ({}, ("--c", "0,2"), "slider 1 is 2"),
        ({}, ("--c", "0,-1.5"), "slider 1 is -1.5"),
        ({}, ("--c", "nan"), "slider 0 is nan"),
        ({}, ("--c", "0,0,0,0"), "c has 4 numbers"),
        ({}, ("--c", "warm"), "'warm' is not a list of numbers"),
        ({}, ("--c", "0,,1"), "'0,,1' is not a list of numbers"),
        ({}, ("--k", "4"), "code 0 is 4"),
        ({}, ("--k", "-1,0"), "code 0 is -1"),
        ({}, ("--k", "1.5"), "'1.5' is not a list of whole numbers"),
        ({}, ("--seed", "-1"), "'-1' is not a whole number from 0"),
        ({}, ("--seed", "-1", "2"), "'-1' is not a whole number from 0"),
        ({}, ("--seed", "2", "-1"), "'-1' is not a whole number from 0"),
        ({}, ("--seed", str(2**63)), "is not a whole number from 0"),
        ({}, ("--context", "0.5"), "'0.5' is not a number of at least 1"),
        ({}, ("--context", "-1e3"), "'-1e3' is not a number of at least 1"),
        ({}, ("--context", "-c"), "argument --context: expected one argument (see roigan complete --help)"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    here: Path,
    model: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    more: Any,
    complaint: str,
) -> None:
    Image.new("L", (30, 20), 127).save("black.png")
    (here / "text.png").write_text("no picture")
    (here / "lone").mkdir()
    Image.new("L", (30, 21), 255).save("lone/a.png")
    given = {"model": model} | change
    before = sorted(here.rglob("*"))
    assert complete(monkeypatch, given.pop("model"), *more, **given) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert complaint in output.err
    assert output.err.count("\n") == 1
    assert sorted(here.rglob("*")) == before  # nothing written


def test_no_seed_overwrites_an_input(here: Path) -> None:
    for name in ("in-3.png", "mask-3.png", "images/a-3.png", "masks/a-3.png"):
        shutil.copy(here / "mask.png", here / name)
    for image, mask, out in [
        ("in-3.png", "mask.png", "in.png"),
        ("in.png", "mask-3.png", "mask.png"),
        ("images", "masks", "images"),
        ("images", "masks", "masks"),
    ]:
        with pytest.raises(UserError, match=r"--out would overwrite .*-3\.png"):
            pairs(here / image, here / mask, here / out, [2, 3])
    (here / "out-2.png").symlink_to("out-3.png")
    with pytest.raises(UserError, match=r"--out would overwrite .*out-3\.png"):
        pairs(here / "in.png", here / "mask.png", here / "out.png", [2, 3])


def test_what_is_no_picture_is_passed_over(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "images/readme.txt").touch()
    (here / "masks/Thumbs.db").touch()
    assert len(pairs(here / "images", here / "masks", here / "done")) == 2
    assert capsys.readouterr().err.count("files that are no pictures are passed over (1)") == 2


def test_large_pictures_come_in_smaller_batches(here: Path) -> None:
    jobs = pairs(here / "images", here / "masks", here / "done")
    sizes = [
        [len(batch) for batch in read_batches(jobs * 3, count, most, Failures(6))]
        for count, most in ((4, 10**9), (4, 1), (10, 1300))
    ]
    assert sizes == [[4, 2], [1] * 6, [3, 3]]


def test_one_broken_picture_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, here: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"image": "images", "mask": "masks", "out": "done"}
    for name in ("c", "d", "e"):
        shutil.copy("images/b.tif", f"images/{name}.tif")
        shutil.copy("masks/b.gif", f"masks/{name}.gif")
    (here / "images/a.jpg").write_text("no picture")
    Image.new("L", (30, 22)).save("masks/c.gif")  # empty
    (here / "masks/d.gif").write_text("no picture")
    assert complete(monkeypatch, model, **given) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if ": " in line and "picture/s" not in line]
    assert [line.split(" ")[:2] for line in said[:3]] == [
        ["failed:", "images/a.jpg"], ["failed:", "images/c.tif"], ["failed:", "masks/d.gif"]
    ]  # fmt: skip
    assert said[3].startswith("error: 3 of 5 pictures were not completed")
    assert len(said) == 4
    assert sorted(path.name for path in (here / "done").iterdir()) == ["b.png", "e.png"]
    before = (here / "done/b.png").read_bytes()
    shutil.copy("images/b.tif", "images/a.tif")
    (here / "images/a.jpg").unlink()
    Image.new("L", (30, 22), 255).save("masks/a.png")
    for name in ("c", "d"):
        shutil.copy("masks/b.gif", f"masks/{name}.gif")
    assert complete(monkeypatch, model, **given) == 0
    assert len(list((here / "done").iterdir())) == 5
    assert (here / "done/b.png").read_bytes() == before


def test_a_mask_for_all_that_cannot_be_read_is_named_once(
    monkeypatch: pytest.MonkeyPatch, here: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "text.png").write_text("no picture")
    assert complete(monkeypatch, model, image="images", mask="text.png", out="done") == 2
    said = capsys.readouterr().err
    assert said.count("text.png cannot be read") == 1
    assert "2 of 2 pictures were not completed" in said
    assert not (here / "done").exists()


@pytest.mark.parametrize("out", ["images", "masks"])
@pytest.mark.parametrize("seeds", [[1], [1, 2]])
def test_pictures_may_be_completed_into_their_own_folder_again_and_again(
    monkeypatch: pytest.MonkeyPatch, here: Path, model: Path, out: str, seeds: list[int]
) -> None:
    (here / "masks/a.png").rename("masks/a.gif")
    before = {path: path.read_bytes() for path in here.rglob("*.*")}
    for _ in range(3):
        assert complete(monkeypatch, model, "--seed", *seeds, image="images", mask="masks", out=out) == 0
        assert len(list(here.rglob("*.*"))) == len(before) + 2 * len(seeds)
    assert {path: path.read_bytes() for path in before} == before
    Image.new("RGB", (4, 4)).save("images/a.png")  # not what was written here
    if out == "images":
        with pytest.raises(UserError, match=r"differ in their ending only|overwrite"):
            pairs(here / "images", here / "masks", here / out, seeds)


@pytest.mark.parametrize("forms", [("NFD", "NFC"), ("NFC", "NFD")])
def test_accents_may_be_encoded_differently(here: Path, forms: tuple[str, str]) -> None:
    shutil.copy("images/b.tif", "images/" + unicodedata.normalize(forms[0], "é.tif"))
    shutil.copy("masks/b.gif", "masks/" + unicodedata.normalize(forms[1], "é.gif"))
    jobs = pairs(here / "images", here / "masks", here / "done")
    assert [job.mask.stem for job in jobs if job.image.stem == unicodedata.normalize(forms[0], "é")] == [
        unicodedata.normalize(forms[1], "é")
    ]
    assert len(jobs) == 3


def test_a_grey_picture_does_not_stop_the_colouring_of_others(here: Path) -> None:
    Image.new("L", (30, 21)).save("images/a.jpg")
    jobs, failed = pairs(here / "images", here / "masks", here / "done"), Failures(2)
    ready = partial(edit.ready, SimpleNamespace(coordinates="lab"), False)
    batches = list(read_batches(jobs, 4, 10**9, failed, ready))
    assert [[job.image.name for job, _, _ in batch] for batch in batches] == [["b.tif"]]
    assert list(map(str, failed.reasons.values())) == [
        f"{here}/images/a.jpg: this model changes colours, and the picture is grey; convert it to RGB"
    ]


def test_pipes_are_read_and_nobody_is_waited_for_in_vain(
    monkeypatch: pytest.MonkeyPatch, here: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(contents, "PATIENCE", 0.2)
    os.mkfifo("pipe.png")
    os.mkfifo("images/pipe.png")
    for given in ({"image": "pipe.png"}, {"mask": "pipe.png"}):
        assert complete(monkeypatch, model, **given) == 2
        assert "pipe.png cannot be read: a pipe that nobody writes to" in capsys.readouterr().err
    assert complete(monkeypatch, model, image="images", mask="masks", out="done") == 0
    assert "files that are no pictures are passed over (1)" in capsys.readouterr().err
    with subprocess.Popen(["sh", "-c", "sleep 0.5; cat mask.png"], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        pipe = f"/dev/fd/{writer.stdout.fileno()}"  # what <(...) is in a shell
        shutil.copy("images/b.tif", "images/c.tif")
        for path in (here / "images").iterdir():
            shutil.copy("in.png", path.with_suffix(".png")) if path.suffix == ".tif" else path.unlink()
            path.unlink(missing_ok=True)
        assert complete(monkeypatch, model, image="images", mask=pipe, out="piped") == 0
    assert len(list((here / "piped").iterdir())) == 2


@pytest.mark.parametrize("length", [244, 250, 251])
def test_names_may_be_as_long_as_the_system_allows(
    monkeypatch: pytest.MonkeyPatch, here: Path, model: Path, length: int
) -> None:
    name = "é" * (length // 2) + "x" * (length % 2) + ".png"
    assert complete(monkeypatch, model, out=name) == 0
    np.testing.assert_array_equal(pixels(name).shape, pixels("in.png").shape)
    assert not [path for path in here.iterdir() if "unfinished" in path.name]


def test_two_pictures_of_one_name_are_refused(here: Path) -> None:
    Image.new("RGB", (4, 4)).save("images/a.png")
    with pytest.raises(UserError, match="differ in their ending only"):
        pairs(here / "images", here / "masks", here / "done")


def test_models_are_listed_compared_and_promoted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the registry answers is shown; that it answers rightly is tested in test_tracking.py."""
    table = pd.DataFrame(
        {
            "name": ["roigan", "roigan"],
            "version": [1, 2],
            "aliases": ["champion", ""],
            "sha256": ["a" * 64, "b" * 64],
            "created": ["2026-01-01 00:00"] * 2,
            "data": ["d" * 16] * 2,
            "params": ["e" * 16] * 2,
            "commit": ["c" * 40 + "-dirty", ""],
            "features": ["local 1a2b", ""],
            "fid": [12.3456, np.nan],
        }
    )
    monkeypatch.setattr(registry, "model_table", lambda: table)
    assert run(monkeypatch, "models") == 0
    lines = capsys.readouterr().out.splitlines()
    known = ["name", "version", "aliases", "sha256", "created", "data", "params", "commit"]
    assert lines[0].split() == [*known, "fid", "features"]
    assert "champion" in lines[1]
    assert "cccccccc-dirty" in lines[1]
    assert "12.35" in lines[1]
    assert "b" * 9 not in lines[2]

    index = pd.MultiIndex.from_tuples([("fid", "ellipse")], names=["metric", "mask"])
    compared = pd.DataFrame({"roigan/1": [2.0], "roigan/2": [1.0], "difference": [-1.0]}, index)
    compared.attrs["features"] = ["local 1", "local 2"]
    monkeypatch.setattr(registry, "compare", lambda a, b: compared)
    assert run(monkeypatch, "models", "compare", "roigan/1", "roigan/2") == 0
    output = capsys.readouterr()
    assert "-1" in output.out
    assert "do not compare" in output.err

    promoted = SimpleNamespace(calls=[])
    monkeypatch.setattr(registry, "find_version", lambda reference: reference)
    monkeypatch.setattr(promotion, "champion", lambda name: f"{name}/1")
    monkeypatch.setattr(promotion, "promote", lambda *given: promoted.calls.append(given))
    assert run(monkeypatch, "models", "promote", "roigan", "2", "--reason", "looks right") == 0
    assert promoted.calls == [("roigan/2", "looks right", "roigan/1")]
    assert capsys.readouterr().out == "roigan/2 is champion now\n"


def test_a_release_is_written_once(
    model: Path, monkeypatch: pytest.MonkeyPatch, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "models", "release", str(model), "released") == 0
    assert "MB, weights" in capsys.readouterr().out
    assert Model.load(here / "released").image_size == SIZE
    assert run(monkeypatch, "models", "release", str(model), "released") == 2
    assert "released exists already" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["in.png/deep", "/proc/nowhere", "images/locked"])
def test_a_place_that_cannot_be_written_is_said_in_one_line(
    model: Path, monkeypatch: pytest.MonkeyPatch, here: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    def completes(*given: object) -> NoReturn:
        raise AssertionError("completed before it was known whether the result can be kept")

    monkeypatch.setattr(edit, "complete_pictures", completes)
    (here / "images/locked").symlink_to("/proc/self/nowhere")
    given = {"image": "images", "mask": "masks"}
    runs = {
        f"{place}/x.png": lambda: complete(monkeypatch, model, out=f"{place}/x.png"),
        f"{place}/a.png": lambda: complete(monkeypatch, model, out=place, **given),
        f"{place}/x.pt2": lambda: run(monkeypatch, "models", "export", model, f"{place}/x.pt2"),
        f"{place}/x": lambda: run(monkeypatch, "models", "release", model, f"{place}/x"),
    }
    for path, call in runs.items():
        assert call() == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith(f"error: {path} cannot be written (")


def test_an_export_overwrites_nothing(
    model: Path, monkeypatch: pytest.MonkeyPatch, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is written is tested in test_export.py."""
    (here / "there.pt2").touch()
    for file, complaint in [("there.pt2", "there.pt2 exists already"), ("a.onnx", "writes .pt2 files")]:
        assert run(monkeypatch, "models", "export", str(model), file) == 2
        assert complaint in capsys.readouterr().err


def test_params_takes_a_preset(
    monkeypatch: pytest.MonkeyPatch, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(ROOT / "params.yaml", here)
    assert run(monkeypatch, "params", str(ROOT / "presets" / "thesis.yaml")) == 0
    assert "model.reader: own -> trunk" in capsys.readouterr().out
    assert load_params(here / "params.yaml").model.reader == "trunk"
    assert run(monkeypatch, "params", "nowhere.yaml") == 2
    assert capsys.readouterr().err == "error: nowhere.yaml does not exist\n"


def test_an_empty_registry_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "models") == 2
    assert "no project lies here; run from the folder of params.yaml" in capsys.readouterr().err
    shutil.copy(ROOT / "params.yaml", here)
    for arguments in (
        [],
        ["compare", "a/1", "a/2"],
        ["promote", "a", "1"],
        ["rollback", "a"],
        ["history", "a"],
    ):
        assert run(monkeypatch, "models", *arguments) == 2
        assert capsys.readouterr().err.startswith("error: no model is registered yet")
    assert not (here / ".roigan").exists()


def test_help_comes_without_torch_or_mlflow() -> None:
    heavy = "{'torch', 'mlflow'} & sys.modules.keys()"
    program = f"import sys; from roigan.cli import main; main.parser(); print(*{heavy})"
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    assert time.monotonic() - began < 10  # a fraction of a second on an idle machine
