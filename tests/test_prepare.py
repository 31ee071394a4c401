"""The packed arrays hold the right pictures, once each, the same bytes every time; rejects are counted."""

from __future__ import annotations

import hashlib
import json
import os
import runpy
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from roigan.config import DataParams
from roigan.datasets.items import SPLITS
from roigan.datasets.prepare import prepare
from roigan.errors import UserError

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared/data"


def fill(folder: Path, count: int, first: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + count):
        noise = np.random.default_rng(i).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{i:03d}.png")
    return folder


def params(path: Path, **more: Any) -> DataParams:
    return DataParams(**({"source": "folder", "path": str(path), "image_size": 16, "channels": 3} | more))


def test_arrays_manifest_and_statistics_agree(tmp_path: Path) -> None:
    fill(tmp_path / "in", 30)
    out = tmp_path / "out"
    statistics = prepare(params(tmp_path / "in"), out)
    assert statistics == json.loads((out / "statistics.json").read_text())
    assert statistics["counts"] == {"train": 24, "val": 3, "test": 3}
    manifest = pd.read_parquet(out / "manifest.parquet")
    assert list(manifest.columns) == ["split", "index", "id", "source", "sha256", "label"]
    for row in manifest.itertuples():
        image = np.load(out / f"{row.split}.npy", mmap_mode="r", allow_pickle=False)[row.index]
        assert np.array_equal(image, np.asarray(Image.open(tmp_path / "in" / row.id)))
        assert hashlib.sha256(image.tobytes()).hexdigest() == row.sha256
    train = np.load(out / "train.npy")
    assert (train.shape, train.dtype, train.flags.c_contiguous) == ((24, 16, 16, 3), np.dtype(np.uint8), True)
    assert np.allclose(statistics["mean"], train.mean((0, 1, 2)) / 255, atol=1e-6)
    assert np.allclose(statistics["std"], train.std((0, 1, 2)) / 255, atol=1e-6)
    assert statistics["sha256"]["train"] == hashlib.sha256(train.tobytes()).hexdigest()
    assert (out / "rejects.csv").read_text() == "file,reason\n"
    with Image.open(out / "contact_sheet.png") as sheet:
        assert sheet.mode == "RGB"


def test_the_same_bytes_again_and_others_for_another_seed(tmp_path: Path) -> None:
    fill(tmp_path / "in", 20)
    names = ["train.npy", "val.npy", "test.npy", "manifest.parquet", "statistics.json", "contact_sheet.png"]
    runs = [
        (prepare(params(tmp_path / "in", seed=seed), tmp_path / str(i)), i)
        for i, seed in enumerate((0, 0, 1))
    ]
    for name in names:
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "1" / name).read_bytes()
    assert len({statistics["data"] for statistics, _ in runs}) == 2


def test_unusable_files_leave_the_arrays_and_enter_the_table(tmp_path: Path) -> None:
    fill(tmp_path / "in", 20)
    (tmp_path / "in/broken.jpg").write_bytes(b"no picture")
    Image.new("L", (4, 4)).save(tmp_path / "in/tiny.png")
    shutil.copy(tmp_path / "in/003.png", tmp_path / "in/twin.png")
    statistics = prepare(params(tmp_path / "in", max_rejected=0.2), tmp_path / "out")
    assert statistics["rejected"] == 3
    assert sum(statistics["counts"].values()) == 20
    for split in SPLITS:  # the shortened file reads as if it had been saved so at once
        array = np.load(tmp_path / f"out/{split}.npy")
        np.save(tmp_path / "again.npy", array)
        assert len(array) == statistics["counts"][split]
        assert (tmp_path / "again.npy").read_bytes() == (tmp_path / f"out/{split}.npy").read_bytes()
    rejects = pd.read_csv(tmp_path / "out/rejects.csv").set_index("file")["reason"]
    assert "not a picture" in rejects["broken.jpg"]
    assert "tiny: 4x4 pixels, a side needs 8" in rejects["tiny.png"]
    assert set(rejects.index) - {"broken.jpg", "tiny.png"} <= {"003.png", "twin.png"}
    assert rejects.str.startswith("duplicate of").sum() == 1


def test_names_that_are_no_text_are_written_all_the_same(tmp_path: Path) -> None:
    fill(tmp_path / "in", 20)
    folder = os.fsencode(tmp_path / "in")
    os.rename(folder + b"/003.png", folder + b"/caf\xe9.png")
    (tmp_path / "in/004.png").rename(tmp_path / "in/caf\\xe9.png")  # spelt out, not to be confused
    Path(os.fsdecode(folder + b"/\xff\xfe.jpg")).write_bytes(b"no picture")
    prepare(params(tmp_path / "in", max_rejected=0.2), tmp_path / "out")
    listed = set(pd.read_parquet(tmp_path / "out/manifest.parquet")["id"])
    assert {"caf\\xe9.png", "caf\\xe9.png'"} <= listed
    assert len(listed) == 20
    assert pd.read_csv(tmp_path / "out/rejects.csv")["file"].tolist() == ["\\xff\\xfe.jpg"]


def test_of_a_picture_in_train_and_test_the_test_copy_stays(tmp_path: Path) -> None:
    fill(tmp_path / "in/train", 20)
    fill(tmp_path / "in/test", 6, first=18)  # 018 and 019 are in both
    prepare(params(tmp_path / "in", max_rejected=0.2), tmp_path / "out")
    manifest = pd.read_parquet(tmp_path / "out/manifest.parquet")
    assert manifest["sha256"].is_unique
    assert (manifest["split"] == "test").sum() == 6
    rejects = pd.read_csv(tmp_path / "out/rejects.csv")
    assert sorted(rejects["file"]) == ["train/018.png", "train/019.png"]
    assert sorted(rejects["reason"]) == ["duplicate of test/018.png", "duplicate of test/019.png"]


def test_too_many_rejects_fail_with_file_count_and_table(tmp_path: Path) -> None:
    fill(tmp_path / "in", 18)
    for name in ("x.png", "y.png"):
        (tmp_path / "in" / name).write_bytes(b"")
    prepare(params(tmp_path / "in", max_rejected=0.1), tmp_path / "out")  # 2 of 20 are allowed
    with pytest.raises(UserError, match=r"2 of 20 images are unusable.*first is [xy]\.png .*rejects\.csv"):
        prepare(params(tmp_path / "in", max_rejected=0.09), tmp_path / "out")
    assert len(pd.read_csv(tmp_path / "out/rejects.csv")) == 2


def test_a_split_that_loses_all_its_images_fails(tmp_path: Path) -> None:
    fill(tmp_path / "in/train", 20)
    (tmp_path / "in/test").mkdir()
    (tmp_path / "in/test/a.png").write_bytes(b"")
    with pytest.raises(UserError, match="every image of split test was rejected"):
        prepare(params(tmp_path / "in", max_rejected=1.0), tmp_path / "out")


def test_labels_are_kept_and_counted(tmp_path: Path) -> None:
    statistics = prepare(DataParams(source="digits", image_size=16, channels=1, limit=100), tmp_path)
    assert statistics["labels"] == 10
    manifest = pd.read_parquet(tmp_path / "manifest.parquet")
    assert str(manifest["label"].dtype) == "Int64"
    assert statistics["counts"] == {"train": 100, "val": 100, "test": 100}


def test_the_stage_writes_one_line_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "params.yaml").read_text()
    script = ROOT / "pipelines/prepare.py"
    monkeypatch.chdir(tmp_path)
    digits = text.replace("source: mnist_5k", "source: digits").replace("limit: null", "limit: 20", 1)
    Path("params.yaml").write_text(digits)
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out == "prepared digits: 20 train, 20 val, 20 test, 0 rejected\n"
    assert Path("data/prepared/train.npy").is_file()
    Path("params.yaml").write_text(text.replace("source: mnist_5k", "source: folder"))
    bad = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr == "error: data.source folder needs data.path, a folder or zip of images\n"


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "faces64.zip").is_file(), reason="../shared/data/faces64.zip is not there")
def test_faces_are_packed_in_seconds(tmp_path: Path) -> None:
    start = time.process_time()
    statistics = prepare(params(DATA / "faces64.zip", image_size=64), tmp_path)
    assert time.process_time() - start < 20  # seconds of one core for 8,575 JPEG files
    assert statistics["counts"] == {"train": 6858, "val": 762, "test": 955}
    assert statistics["rejected"] == 0
