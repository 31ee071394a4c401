"""The anonymiser: no frame bare, nothing shaking, nothing of a face in its filling, nothing half-written."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin
from skimage import data

from roigan.apps.anonymiser.anonymise import Found, Look, find, pieces, replace, window
from roigan.apps.anonymiser.detect import LBP, Masks, agreed, disc
from roigan.apps.anonymiser.expression import distance, expressive, face_cells
from roigan.apps.anonymiser.films import ALTERED, open_film, writing_film
from roigan.apps.anonymiser.tracks import HOLD, Box, Track, follow, smooth
from roigan.cli import main as cli
from roigan.config import RoIGANModel
from roigan.errors import UserError
from roigan.image_io import matroska, video
from roigan.image_io.lossless import read_picture
from roigan.systems.model import Model, save_model
from roigan.systems.roigan.networks import Generator

SIZE = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder, untrained."""
    params = RoIGANModel(system="roigan", width=0.1, noise=8, sliders=3, codes=2, values=4, output_norm=False)
    torch.manual_seed(0)
    config = {"system": "roigan", "image_size": SIZE, "channels": 3, "model": params.model_dump()}
    folder = tmp_path_factory.mktemp("model")
    save_model(folder, {"G": Generator(SIZE, 3, params)}, config)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return Model.load(folder)


class Known:
    """A detector that is told what it finds."""

    def __init__(self, boxes: Sequence[Sequence[Box]], hold: int = HOLD) -> None:
        self.given, self.hold = boxes, hold

    def boxes(self, frame: int, picture: object) -> list[Box]:
        return list(self.given[frame])

    region = LBP.region


def pixels(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Coarse structure with fine noise: uint8 [H, W, 3]."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.uniform(40, 215, (5, 7, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray((coarse + rng.normal(0, 8, coarse.shape)).clip(0, 255).astype(np.uint8))


def written(folder: Path, frames: Sequence[np.ndarray]) -> Path:
    folder.mkdir()
    for number, frame in enumerate(frames, 1):
        Image.fromarray(frame).save(folder / f"{number}.png")
    return folder


def anonymised(model: Model, frames: Sequence[np.ndarray], where: Known, seed: int = 0) -> list[np.ndarray]:
    pictures = [Image.fromarray(frame) for frame in frames]
    tracks = find(pictures, where).tracks
    return [np.asarray(frame) for frame in replace(model, pictures, where, tracks, Look(seed))]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["roigan", "anonymise", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


# --- tracks ---


def test_a_face_missed_for_twelve_frames_is_covered_in_all_of_them() -> None:
    found = [[] if 20 <= frame < 32 else [Box(50, 30 + 2.0 * frame, 40)] for frame in range(60)]
    (track,) = follow(found)
    assert (track.first, len(track.raw)) == (0, 60)
    assert track.raw[26] == Box(50, 82, 40)  # filled from both sides: it moved on meanwhile
    assert track.lost((100, 300)) == list(range(20, 32))


def test_the_ends_are_held() -> None:
    found = [[Box(50, 50, 40)] if 30 <= frame < 33 else [] for frame in range(60)]
    (track,) = follow(found)
    assert (track.first, track.first + len(track.raw)) == (30 - HOLD, 33 + HOLD)
    assert len(track.lost((100, 100))) == 2 * HOLD
    assert follow(found, hold=0)[0].lost((100, 100)) == []


def test_a_longer_gap_begins_a_new_face() -> None:
    long = [[Box(50, 50, 40)] if not 10 <= frame < 10 + 2 * HOLD + 1 else [] for frame in range(60)]
    assert len(follow(long)) == 2
    long[15] = [Box(50, 50, 40)]
    assert len(follow(long)) == 1


def test_who_leaves_by_the_border_is_not_lost() -> None:
    found = [[Box(50, 80 - 3.0 * frame, 40)] if frame < 20 else [] for frame in range(60)]
    (track,) = follow(found)
    assert len(track.raw) == 20 + HOLD
    assert track.lost((100, 300)) == []


def test_two_people_stay_two_when_they_pass_each_other() -> None:
    found = [[Box(40, 20 + 3.0 * frame, 30), Box(58, 200 - 3.0 * frame, 30)] for frame in range(60)]
    first, second = follow([boxes[:: 1 if frame % 2 else -1] for frame, boxes in enumerate(found)])
    assert {box.y for box in first.raw} | {box.y for box in second.raw} == {40.0, 58.0}
    assert len({box.y for box in first.raw}) == 1


def test_weak_boxes_follow_a_face_and_make_none() -> None:
    weak = [[Box(50, 50, 40, sure=False)] for _ in range(30)]
    assert follow(weak) == []
    weak[4] = [Box(50, 50, 40)]
    assert len(follow(weak)[0].raw) == 30


def test_smoothing_calms_what_shakes_and_leaves_what_moves_evenly() -> None:
    still, moving = np.full((30, 1), 40.3), 10.5 + 2 * np.arange(30.0)[:, None]
    assert len(np.unique(smooth(still, 3.0))) == 1
    assert np.array_equal(smooth(moving, 3.0), moving)  # without lag, at the ends too
    shaking = np.random.default_rng(0).normal(0, 1, (200, 1))
    assert (
        np.abs(np.diff(smooth(shaking, 3.0), axis=0)).mean() < 0.15 * np.abs(np.diff(shaking, axis=0)).mean()
    )
    assert smooth(still[:1], 3.0).shape == (1, 1)


# --- where ---


def test_the_cascade_finds_a_face_and_no_other() -> None:
    (box,) = (one for one in LBP().boxes(0, Image.fromarray(data.astronaut())) if one.sure)
    assert abs(box.y - 115) < 15
    assert abs(box.x - 220) < 15
    assert 70 < box.side < 110
    large = cv2.resize(data.astronaut(), (2000, 2000))
    larger = max(LBP().boxes(0, Image.fromarray(large)), key=lambda one: one.side)
    assert abs(larger.x / 2000 - box.x / 512) < 0.02  # looked for in a shrunk one


def test_windows_that_agree_are_one_face() -> None:
    windows = np.array([[50, 50, 40], [52, 50, 42], [48, 50, 38], [50, 51, 41], [200, 200, 30], [55, 50, 10]])
    (face,) = agreed(windows.astype(float))  # the fifth stands alone, the sixth is inside
    assert face == Box(50, 50.25, 40.25, True)


def test_the_region_holds_the_raw_face_however_slow_the_steady_one(model: Model) -> None:
    raw, steady = Box(50, 80, 40), Box(50, 40, 40)
    region = LBP.region(LBP(), 0, raw, steady, (100, 120))
    assert np.array_equal(region, disc(raw, (100, 120)) | disc(steady, (100, 120)))
    seen = window(steady, region)
    assert seen.left <= 14
    assert seen.left + seen.side >= 106


def test_a_window_does_not_stop_at_the_border() -> None:
    shape = (100, 200)
    lefts = [window(box, disc(box, shape)).left for x in range(20, 40) if (box := Box(50, x, 40))]
    assert set(np.diff(lefts)) == {1}


def test_parts_of_a_mask_are_faces_and_nothing_else_is_generated(tmp_path: Path) -> None:
    mask = np.zeros((100, 200), np.uint8)
    mask[20:50, 20:40] = mask[60:80, 150:190] = 255
    mask[60:80, 192] = 255  # so near that it belongs to the other
    Image.fromarray(mask).save(tmp_path / "mask.png")
    where = Masks(tmp_path / "mask.png", [], 1)
    picture = Image.fromarray(pixels(100, 200))
    found = find([picture, picture], where)
    assert len(found.tracks) == 2
    regions = [piece.region for piece in pieces(1, (100, 200), where, found.tracks)]
    assert np.array_equal(regions[0] | regions[1], mask > 0)
    assert not (regions[0] & regions[1]).any()


# --- fillings ---


def test_a_still_film_stays_still(model: Model) -> None:
    frame = pixels(60, 80)
    rng = np.random.default_rng(0)
    steady = Known([[Box(30, 40, 20)]] * 8)
    first, *others = anonymised(model, [frame] * 8, steady)
    assert all(np.array_equal(first, other) for other in others)
    assert not np.array_equal(first, frame)
    shaking = Known([[Box(30 + rng.normal(0, 0.1), 40, 20)] for _ in range(8)])
    sides = {window(box, disc(box, (60, 80))) for box in follow(shaking.given)[0].steady}
    assert len(sides) <= 2


def test_a_panned_film_gives_the_panned_result(model: Model) -> None:
    world = pixels(60, 200)
    frames = [world[:, 3 * i : 3 * i + 120] for i in range(10)]
    boxes = [[Box(30.5, 70.5 - 3 * i, 22.6)] for i in range(10)]  # a window that begins at half a pixel
    results = anonymised(model, frames, Known(boxes))
    for i, result in enumerate(results):
        shared = result[:, 30 - 3 * i : 120 - 3 * i]
        assert np.array_equal(shared, results[0][:, 30:120])


def test_nothing_of_a_face_reaches_a_filling(model: Model) -> None:
    frame, where = pixels(60, 100), Known([[Box(30, 30, 20), Box(32, 62, 24)]])
    regions = [piece.region for piece in pieces(0, (60, 100), where, follow(where.given))]
    both = regions[0] | regions[1]
    other = frame.copy()
    other[both] = np.random.default_rng(1).integers(0, 256, (both.sum(), 3), dtype=np.uint8)
    (one,), (two,) = anonymised(model, [frame], where), anonymised(model, [other], where)
    assert np.array_equal(one, two)  # nor the neighbour's face, which lies in the window
    assert np.array_equal(one[~both], frame[~both])
    other[~both] = 255 - other[~both]
    assert not np.array_equal(anonymised(model, [other], where)[0][both], one[both])  # it does see the rest


def test_every_person_has_a_face_of_their_own(model: Model) -> None:
    frame = np.tile(pixels(60, 60), (1, 2, 1))
    where = Known([[Box(30, 30, 20), Box(30, 90, 20)]] * 2)
    first, _ = anonymised(model, [frame] * 2, where)
    assert not np.array_equal(first[20:40, 20:40], first[20:40, 80:100])
    assert not np.array_equal(first, anonymised(model, [frame] * 2, where, seed=1)[0])


def test_a_face_that_is_kept_stays(model: Model) -> None:
    picture, where = Image.fromarray(pixels(60, 120)), Known([[Box(30, 30, 20), Box(30, 90, 20)]])
    tracks: list[Track | None] = [*find([picture], where).tracks]
    (result,) = replace(model, [picture], where, [None, tracks[1]], Look())
    changed = (np.asarray(result) != np.asarray(picture)).any((0, 2))
    assert not changed[:60].any()
    assert changed[60:].any()


def test_lost_frames_are_numbered_by_face() -> None:
    tracks = follow([[Box(50, 50, 40)], [], [Box(50, 50, 40)]])
    assert Found(tracks, 3, (100, 100)).lost() == {0: [1]}


# --- expression ---


def test_sliders_move_towards_the_face_and_nothing_else_does(model: Model) -> None:
    x, M = (
        (torch.from_numpy(pixels(SIZE, SIZE)).permute(2, 0, 1)[None] / 127.5 - 1),
        torch.zeros(1, 1, 16, 16),
    )
    M[..., 2:15, 2:14] = 1
    z = model.latent(1, torch.Generator().manual_seed(0))
    moved = expressive(model, x, M, z, 10.0)
    changed = (moved != z)[0]
    assert changed[8:11].any()  # sliders
    assert not changed[:8].any()  # noise
    assert not changed[11:].any()  # codes
    assert moved[0, 8:11].abs().max() <= 1
    far, near = (distance(model.complete(x, M, each), x, M) for each in (z, moved))
    assert near < far
    assert (expressive(model, x, M, z, 1e-3) - z).abs().max() < (moved - z).abs().max()


def test_the_outlines_are_those_of_eyes_and_mouth() -> None:
    B = face_cells(torch.zeros(1, 8, 8, 8))[0, 0]
    assert B.sum() == 16
    assert B[3:7, 2:6].all()
    x, M = torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
    assert distance(-x, x, M) == 0
    M[..., 30, 30] = 1
    assert distance(-x, x, M + 1) != distance(-x, x, M) > 0


def test_an_expression_is_read_from_the_face_and_from_no_other(model: Model) -> None:
    where = Known([[Box(30, 30, 20), Box(30, 90, 20)]])
    one = Image.fromarray(pixels(60, 120))
    other = one.copy()
    other.paste(Image.fromarray(255 - pixels(20, 20)), (80, 20))  # inside the second face
    tracks: list[Track | None] = [*find([one], where).tracks]
    results = [
        np.asarray(next(iter(replace(model, [picture], where, tracks, Look(expression=10.0)))))
        for picture in (one, other)
    ]
    assert np.array_equal(results[0][:, :60], results[1][:, :60])
    assert not np.array_equal(results[0][:, 60:], results[1][:, 60:])


# --- films ---


def test_frame_ten_comes_after_frame_nine(tmp_path: Path) -> None:
    written(tmp_path / "film", [np.full((8, 8, 3), n, np.uint8) for n in range(12)])
    film = open_film(tmp_path / "film")
    assert [np.asarray(frame)[0, 0, 0] for frame in film.read()] == list(range(12))
    film = open_film(tmp_path / "film", (9, 11))
    assert film.names == ["9", "10", "11"]


@pytest.mark.parametrize("span", [None, (3, 5)])
def test_a_lossless_video_comes_back_bit_for_bit(tmp_path: Path, span: tuple[int, int] | None) -> None:
    frames = [pixels(32, 48, n) for n in range(6)]
    film = open_film(written(tmp_path / "film", frames))
    with writing_film(tmp_path / "film.mkv", film) as put:
        for frame in film.read():
            put(frame)
    again = open_film(tmp_path / "film.mkv", span)
    wanted = frames[2:5] if span else frames
    assert np.array_equal([np.asarray(frame) for frame in again.read()], wanted)
    assert again.rate == 25
    with writing_film(tmp_path / "again", again) as put:
        for frame in again.read():
            put(frame)
    names = sorted(path.name for path in (tmp_path / "again").iterdir())
    assert names[0] == ("000003.png" if span else "000001.png")
    assert np.array_equal(np.asarray(read_picture(tmp_path / "again" / names[0])), wanted[0])


def test_a_video_says_that_it_is_altered_and_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    with video.writing_video(path, 30.0, (48, 32), ALTERED) as append:
        for n in range(3):
            append(Image.fromarray(pixels(32, 48, n)))
    content = path.read_bytes()
    assert content.endswith(ALTERED.encode())
    assert b"COMMENT" in content
    start = content.index(matroska.SEGMENT) + 4
    assert int.from_bytes(content[start + 1 : start + 8]) == len(content) - start - 8
    assert video.count_frames(path) == 3
    with pytest.raises(ValueError, match="not one Segment"):
        matroska.add_comment(written(tmp_path / "f", [pixels(8, 8)]) / "1.png", "x")


def test_an_mp4_is_said_to_be_lossy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = open_film(written(tmp_path / "film", [pixels(32, 48)] * 3))
    with writing_film(tmp_path / "film.mp4", film) as put:
        for frame in film.read():
            put(frame)
    assert "alters every pixel a little; .mkv alters none" in capsys.readouterr().err
    assert len(list(open_film(tmp_path / "film.mp4").read())) == 3


# --- the command ---


@pytest.fixture
def film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with film/ of six frames, mask.png, and masks/ with one for each."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "film", [pixels(40, 60, n) for n in range(6)])
    mask = np.zeros((40, 60), np.uint8)
    mask[10:25, 20:35] = 255
    Image.fromarray(mask).save("mask.png")
    written(tmp_path / "masks", [np.roll(mask, n, 1) for n in range(6)])
    return tmp_path


def test_masks_say_where(
    film: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--model", folder, "--in", "film")
    assert run(monkeypatch, *given, "--mask", "mask.png", "--out", "one") == 0
    assert (
        run(monkeypatch, *given, "--mask", "masks", "--out", "each", "--span", "2-4", "--lost", "stop") == 0
    )
    assert "face 1: frames 2-4, first found at 28,18" in capsys.readouterr().out
    assert sorted(path.name for path in Path("each").iterdir()) == ["2.png", "3.png", "4.png"]
    for number in range(2, 5):
        before, after = (np.asarray(Image.open(f"{place}/{number}.png")) for place in ("film", "each"))
        mask = np.asarray(Image.open(f"masks/{number}.png")) > 0
        assert np.array_equal(before[~mask], after[~mask])
        assert (before[mask] != after[mask]).mean() > 0.9


def test_a_video_that_is_cut_short_is_noted_once(
    film: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with video.writing_video(film / "film.mkv", 25.0, (60, 40), ALTERED) as append:
        for n in range(8):
            append(Image.fromarray(pixels(40, 60, n)))
    content = (film / "film.mkv").read_bytes()
    (film / "cut.mkv").write_bytes(content[: len(content) // 2])
    assert run(monkeypatch, "--model", folder, "--in", "cut.mkv", "--mask", "mask.png", "--out", "out") == 0
    kept = len(list((film / "out").iterdir()))
    assert 0 < kept < 7
    assert capsys.readouterr().err.count(f"its header says 8 frames, {kept} can be read") == 1


def test_what_a_picture_says_of_people_is_gone(
    film: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x8825] = "Anna at home", {1: "N", 2: (52.0, 31.0, 0.0)}
    title = PngImagePlugin.PngInfo()
    title.add_text("Title", "Anna")
    picture = Image.open("film/1.png")
    picture.save("film/1.png", exif=exif, pnginfo=title, dpi=(300, 300), icc_profile=b"profile")
    assert (
        run(
            monkeypatch,
            "--model",
            folder,
            "--in",
            "film",
            "--mask",
            "mask.png",
            "--out",
            "o",
            "--span",
            "1-1",
        )
        == 0
    )
    result = Image.open("o/1.png")
    assert not result.getexif()
    assert b"Anna" not in Path("o/1.png").read_bytes()
    assert set(result.info) == {"Software", "Comment", "icc_profile"}
    assert result.info["Comment"] == ALTERED


def test_an_interrupted_run_leaves_nothing_half_written(
    film: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(film.iterdir())
    complete, calls = Model.complete, list[int]()

    def third(self: Model, *arguments: torch.Tensor) -> torch.Tensor:
        calls.append(0)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return complete(self, *arguments)

    monkeypatch.setattr(Model, "complete", third)
    for out in ("out", "out.mkv"):
        calls.clear()
        assert run(monkeypatch, "--model", folder, "--in", "film", "--mask", "mask.png", "--out", out) == 130
        assert sorted(film.iterdir()) == before
    monkeypatch.setattr(Model, "complete", complete)
    (film / ".out.unfinished").mkdir()  # as a killed one leaves it
    (film / ".out.unfinished/7.png").touch()
    assert run(monkeypatch, "--model", folder, "--in", "film", "--mask", "mask.png", "--out", "out") == 0
    assert len(list((film / "out").iterdir())) == 6


def _odd(film: Path) -> None:
    shutil.rmtree("film")
    written(film / "film", [pixels(41, 60)] * 2)


def _sizes(film: Path) -> None:
    Image.fromarray(pixels(41, 60)).save("film/3.png")


def _one_mask_less(film: Path) -> None:
    Path("masks/4.png").unlink()
    with video.writing_video(film / "film.mkv", 25.0, (60, 40), "") as append:
        for n in range(6):
            append(Image.fromarray(pixels(40, 60, n)))


def _small(film: Path) -> None:
    Image.new("L", (60, 39), 255).save("mask.png")


def _pipe(film: Path) -> None:
    os.mkfifo("pipe")


def _no_video(film: Path) -> None:
    Path("film.mkv").write_bytes(b"#EXTM3U\nfile:///etc/passwd\n")


def _broken(film: Path) -> None:
    Path("film.mkv").write_bytes(b"\x1aE\xdf\xa3" + bytes(range(256)))


def _black(film: Path) -> None:
    Image.new("L", (60, 40)).save("mask.png")


def _twice(film: Path) -> None:
    Image.fromarray(pixels(40, 60)).save("film/1.bmp")


def _cut(film: Path) -> None:
    Path("film/5.png").write_bytes(Path("film/5.png").read_bytes()[:300])


def _deep(film: Path) -> None:
    shutil.rmtree("film")
    written(film / "film", [np.zeros((40, 60, 4), np.uint8)] * 2)


def _xml(film: Path) -> None:
    Path("cascade.xml").write_text("<opencv_storage/>")


def _nothing(film: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("spoil", "options", "line"),
    [
        (_nothing, {"--in": "nowhere"}, "nowhere does not exist"),
        (
            _nothing,
            {"--in": "mask.png"},
            "mask.png is no video that can be read; known are Matroska, AVI, MP4",
        ),
        (_no_video, {"--in": "film.mkv"}, "film.mkv is no video that can be read"),
        (_broken, {"--in": "film.mkv"}, "film.mkv is no video that can be read"),
        (_pipe, {"--in": "pipe"}, "pipe is neither a folder nor a file"),
        (
            _one_mask_less,
            {"--in": "film.mkv", "--mask": "masks"},
            "a mask for 5 frames, and there are more",
        ),
        (_small, {}, "the mask of frame 1 is 60x39 pixels, the frame 60x40"),
        (
            _nothing,
            {"--out": "o.avi"},
            "a video is written as .mkv or .mp4, else",
        ),
        (_nothing, {"--out": "o.png"}, "a video is written as .mkv or .mp4, else a folder"),
        (_nothing, {"--out": "masks"}, "masks exists already; name another place"),
        (_odd, {"--out": "o.mkv", "--mask": None}, "videos have even sides, and the frames are 60x41"),
        (_sizes, {}, "frame 3 is 60x41, the ones before it 60x40"),
        (_twice, {}, "film has two pictures of the name 1; rename one"),
        (_cut, {}, "5.png cannot be read"),
        (_deep, {"--out": "o.mkv"}, "a video has 8-bit colour without transparency; write a folder"),
        (_nothing, {"--mask": "no.png"}, "--mask no.png does not exist"),
        (_one_mask_less, {"--mask": "masks"}, "1 of 6 frames have no mask in masks: 4, for one"),
        (_black, {}, "no face was found in 6 frames; say by --mask where they are"),
        (_nothing, {"--mask": None}, "no face was found in 6 frames"),
        (_nothing, {"--mask": "film/1.png", "--in": "masks"}, None),
        (_nothing, {"--detector": "no.xml", "--mask": None}, "--detector no.xml does not exist"),
        (_xml, {"--detector": "cascade.xml", "--mask": None}, "cascade.xml is no LBP cascade"),
        (_nothing, {"--span": "5-9"}, "--span 5-9: film ends before, at frame 6 at the latest"),
        (_nothing, {"--span": "5-4"}, "'5-4' is no span of frames like 10-20"),
        (_nothing, {"--span": "0-4"}, "'0-4' is no span of frames"),
        (_nothing, {"--keep": "2"}, "--keep 2: faces have the numbers 1 to 1"),
        (_nothing, {"--c": "0,3"}, "c: slider 1 is 3, but sliders go from -1 to 1"),
        (_nothing, {"--expression": "-1"}, "'-1' is no weight, a number of at least 0"),
        (_nothing, {"--model": "nowhere"}, "model nowhere is neither a folder nor"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    film: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    options: dict[str, str | None],
    line: str | None,
) -> None:
    spoil(film)
    given: dict[str, object] = {"--model": folder, "--in": "film", "--mask": "mask.png", "--out": "out"}
    words = [word for pair in (given | options).items() if pair[1] for word in pair]
    code = run(monkeypatch, *words)
    if line is None:
        assert code == 0
        return
    said = [part for part in capsys.readouterr().err.splitlines() if part.startswith("error: ")]
    assert code == 2
    assert len(said) == 1
    assert line in said[0]
    assert not Path("out").exists()
    assert not list(film.glob(".*"))


def test_lost_faces_are_listed_or_refused(
    film: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def boxes(self: LBP, frame: int, picture: object) -> list[Box]:
        return [] if frame in (2, 4) else [Box(20, 30, 12)]

    monkeypatch.setattr(LBP, "boxes", boxes)
    given = ("--model", folder, "--in", "film", "--out", "out")
    assert run(monkeypatch, *given, "--lost", "stop") == 2
    assert "face 1 is not found in all frames, see above" in capsys.readouterr().err
    assert not Path("out").exists()
    assert run(monkeypatch, *given) == 0
    assert "not found in 3, 5, covered there" in capsys.readouterr().out
    for number in range(1, 7):
        before, after = (np.asarray(Image.open(f"{place}/{number}.png")) for place in ("film", "out"))
        assert (before != after)[14:26, 24:36].mean() > 0.9
    assert run(monkeypatch, *given[:-1], "kept", "--keep", 1, "--lost", "stop") == 0
    assert np.array_equal(np.asarray(Image.open("kept/1.png")), np.asarray(Image.open("film/1.png")))


def test_a_model_of_colours_alone_is_refused(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    from roigan.apps.anonymiser.anonymise import check_model

    monkeypatch.setattr(model, "coordinates", "ab")
    with pytest.raises(UserError, match="nobody becomes anonymous"):
        check_model(model, Look())
