"""What users name is written atomically, and a refusal is one line."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from roigan.config.presets import apply
from roigan.errors import UserError
from roigan.files.atomic import writing
from roigan.files.tensors import save_tensors
from roigan.image_io.lossless import save_picture


def cut_short(path: Path, error: BaseException) -> None:
    """Begin to write a folder or, where the path has an ending, a file."""
    with writing(path) as place:
        if path.suffix:
            assert place.suffix == path.suffix  # libraries choose the format by it
            place.write_text("aft")
        else:
            place.mkdir()
            (place / "half").touch()
        raise error


def test_what_was_there_stays_where_writing_fails(tmp_path: Path) -> None:
    there = tmp_path / "x.png"
    there.write_text("before")
    with pytest.raises(UserError, match=r"x\.png cannot be written \(.*No space left"):
        cut_short(there, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert there.read_text() == "before"
    assert list(tmp_path.iterdir()) == [there]


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "model"
    with pytest.raises(KeyboardInterrupt):
        cut_short(folder, KeyboardInterrupt())
    assert not list((tmp_path / "new").iterdir())
    with writing(folder) as place:
        place.mkdir()
        (place / "whole").touch()
    assert [path.name for path in folder.iterdir()] == ["whole"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("before")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with writing(tmp_path / "link") as place:
        place.write_text("after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "after"


def test_whoever_may_read_the_folder_may_read_the_weights(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        save_tensors({"a": torch.arange(6.0).reshape(2, 3).T}, tmp_path / "weights")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "weights").stat().st_mode) == 0o644
    assert load_file(tmp_path / "weights")["a"].tolist() == [[0, 3], [1, 4], [2, 5]]


@pytest.fixture
def little_room() -> Iterator[None]:
    """No file may be larger than 1 kB, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize("name", ["x.png", "x.tif", "deep.png", "deep.tif"])
def test_a_picture_stays_where_a_new_one_finds_no_room(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("before")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3))
    deep = name.startswith("deep")
    picture = (noise * 256).astype(np.uint16) if deep else Image.fromarray(noise.astype(np.uint8))
    with pytest.raises(UserError, match=f"{name} cannot be written"):
        save_picture(picture, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "before"


@pytest.mark.usefixtures("little_room")
def test_parameters_stay_where_new_ones_find_no_room(tmp_path: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    params, preset = tmp_path / "params.yaml", Path(__file__).parents[1] / "presets/faces64.yaml"
    shutil.copy(preset.parents[1] / "params.yaml", params)
    before = params.read_bytes()
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
    with pytest.raises(UserError, match=r"params\.yaml cannot be written"):
        apply(preset, params)
    assert params.read_bytes() == before


@pytest.mark.usefixtures("little_room")
def test_weights_that_find_no_room(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="File too large"):
        save_tensors({"a": torch.ones(1000)}, tmp_path / "weights")
