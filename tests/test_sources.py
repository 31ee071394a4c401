"""Each source lists the right pictures in the right split, and refuses what is unsafe or empty."""

from __future__ import annotations

import errno
import gzip
import io
import os
import stat
import struct
import zipfile
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from roigan.config import DataParams
from roigan.datasets import photos
from roigan.datasets.items import SPLITS
from roigan.datasets.sources import list_items
from roigan.datasets.synthetic_faces import CONTINUOUS, DISCRETE, HIDDEN, draw_face, draw_factors
from roigan.errors import UserError
from roigan.image_io.contents import Unusable

DATA = Path(__file__).parents[2] / "shared/data"


def params(source: str, path: Path | None = None, **more: Any) -> DataParams:
    given = {"image_size": 16, "channels": 3, "path": None if path is None else str(path)}
    return DataParams(source=source, **(given | more))


def picture(seed: int, size: tuple[int, int] = (16, 16)) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()


def fill(root: Path, names: list[str], size: tuple[int, int] = (16, 16)) -> Path:
    for seed, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(picture(seed, size))
    return root


def pack(path: Path, names: list[str | zipfile.ZipInfo]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for seed, name in enumerate(names):
            archive.writestr(name, picture(seed))
    return path


def ids(splits: dict[str, Any]) -> dict[str, set[str]]:
    return {split: {item.id for item in items} for split, items in splits.items()}


def names(folder: str, count: int) -> list[str]:
    return [f"{folder}/{i:03d}.png" for i in range(count)]


def test_a_flat_folder_is_split_by_the_seed(tmp_path: Path) -> None:
    fill(tmp_path, names("some", 20))
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "some/.hidden.png").write_bytes(b"")
    first, again = (list_items(params("folder", tmp_path)) for _ in range(2))
    assert {split: len(items) for split, items in first.items()} == {"train": 16, "val": 2, "test": 2}
    assert set.union(*ids(first).values()) == set(names("some", 20))
    assert [i.id for i in first["train"]] == [i.id for i in again["train"]]
    assert ids(first) != ids(list_items(params("folder", tmp_path, seed=1)))


def test_train_and_test_folders_in_a_zip_stay_apart(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", [*names("a/train", 20), *names("a/test", 5), "__MACOSX/a/._x.png"])
    splits = list_items(params("folder", path))
    assert ids(splits)["test"] == set(names("a/test", 5))
    assert len(splits["val"]) == 2  # its share of train
    assert ids(splits)["train"] | ids(splits)["val"] == set(names("a/train", 20))
    assert splits["train"][0].label is None
    assert splits["train"][0].read().shape == (16, 16, 3)


def test_a_val_folder_and_class_folders_are_taken(tmp_path: Path) -> None:
    wanted = [f"{split}/{kind}/{i}.png" for split in SPLITS for kind in ("cat", "dog") for i in range(3)]
    splits = list_items(params("folder", fill(tmp_path, wanted)))
    assert {split: len(items) for split, items in splits.items()} == dict.fromkeys(SPLITS, 6)
    for items in splits.values():
        assert {(item.id.split("/")[1], item.label) for item in items} == {("cat", 0), ("dog", 1)}


def test_limit_takes_a_part_of_every_split(tmp_path: Path) -> None:
    fill(tmp_path, names("a", 30))
    whole = list_items(params("folder", tmp_path))
    part = list_items(params("folder", tmp_path, limit=2))
    for split in SPLITS:
        assert [i.id for i in part[split]] == [i.id for i in whole[split]][:2]


def test_a_link_that_leads_back_does_not_loop(tmp_path: Path) -> None:
    fill(tmp_path, names("a", 10))
    (tmp_path / "a/back").symlink_to(tmp_path, target_is_directory=True)
    assert set.union(*ids(list_items(params("folder", tmp_path))).values()) == set(names("a", 10))


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize(
    "bad", ["../x.png", "a/../../x.png", "/etc/x.png", "C:/x.png", "..\\x.png", link("a.png")]
)
def test_a_zip_that_climbs_out_is_refused(tmp_path: Path, bad: str | zipfile.ZipInfo) -> None:
    path = pack(tmp_path / "bad.zip", [*names("a", 10), bad])
    with pytest.raises(UserError, match=r"bad\.zip is refused: its entry .* climbs out"):
        list_items(params("folder", path))


class AsWindows(zipfile.ZipInfo):
    """An entry whose backslashes stay, as some programs on Windows write them."""

    def __init__(self, name: str) -> None:
        super().__init__("x")
        self.filename = self.orig_filename = name


def test_backslashes_in_a_zip_are_folders(tmp_path: Path) -> None:
    kinds = [names(f"a/{folder}", 9) for folder in ("train/cat", "train/dog", "test/cat", "test/dog")]
    wanted = [*chain.from_iterable(kinds), "__MACOSX/a/train/._x.png", "a/.hidden/x.png"]
    slashed = pack(tmp_path / "a.zip", wanted)
    windows = pack(tmp_path / "b.zip", [AsWindows(name.replace("/", "\\")) for name in wanted])
    expected, got = (list_items(params("folder", path)) for path in (slashed, windows))
    assert ids(got) == ids(expected)
    assert len(got["test"]) == 18
    for split in SPLITS:
        assert [item.label for item in got[split]] == [item.label for item in expected[split]]
        for one, other in zip(got[split], expected[split], strict=True):
            assert np.array_equal(one.read(), other.read())


def test_two_entries_that_become_one_name_are_both_kept(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", [*names("a", 9), AsWindows("a\\000.png")])
    assert sum(map(len, list_items(params("folder", path)).values())) == 10


def test_encrypted_and_corrupt_zips(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", names("a", 3))
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the encryption bit in both headers
        at = content.find(mark)
        while at >= 0:
            content[at + offset] |= 1
            at = content.find(mark, at + 1)
    (tmp_path / "locked.zip").write_bytes(content)
    with pytest.raises(UserError, match="is encrypted"):
        list_items(params("folder", tmp_path / "locked.zip"))
    (tmp_path / "half.zip").write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match="neither a folder nor a readable zip"):
        list_items(params("folder", tmp_path / "half.zip"))


def test_a_corrupt_entry_is_one_unusable_picture(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", names("a", 10))
    content = bytearray(path.read_bytes())
    content[200] ^= 255  # inside the pixels of the first picture
    path.write_bytes(content)
    unusable = []
    for item in chain.from_iterable(list_items(params("folder", path)).values()):
        try:
            item.read()
        except Unusable as reason:
            unusable.append((item.id, str(reason)))
    assert [name for name, _ in unusable] == ["a/000.png"]
    assert "CRC" in unusable[0][1]


def test_what_cannot_be_used_is_one_clear_line(tmp_path: Path) -> None:
    empty, few = tmp_path / "empty", fill(tmp_path / "few", names("a", 2))
    empty.mkdir()
    one_sided = fill(tmp_path / "one", names("train", 5))
    for wanted, message in [
        (params("folder"), "needs data.path"),
        (params("folder", tmp_path / "missing"), "does not exist"),
        (params("folder", empty), "holds no images"),
        (params("folder", few), "split val gets none of the 2 images"),
        (params("folder", fill(tmp_path / "b", names("a", 9)), split=(1.0, 0.0, 0.0)), "split val gets none"),
        (params("folder", one_sided), "has a train folder but no test folder"),
        (params("photos", empty), "data.path is set, but photos needs none"),
        (params("celeba", few), "list_eval_partition.txt, is not in"),
        (params("mnist", tmp_path / "missing"), "does not exist"),
        (params("photos", image_size=256), "too small for data.image_size 256"),
    ]:
        with pytest.raises(UserError, match=message) as raised:
            list_items(wanted)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("layout", ["torchvision", "base", "zip", "zip in folder"])
def test_celeba_in_every_layout(tmp_path: Path, layout: str) -> None:
    files = [f"{i:06d}.jpg" for i in range(1, 7)]
    base = tmp_path / "celeba" if layout == "torchvision" else tmp_path
    base.mkdir(exist_ok=True)
    (base / "list_eval_partition.txt").write_text("".join(f"{f} {i % 3}\n" for i, f in enumerate(files)))
    fill(base, [f"img_align_celeba/{f}" for f in files], size=(178, 218))
    path = tmp_path
    if layout.startswith("zip"):
        archive = tmp_path / "img_align_celeba.zip"
        with zipfile.ZipFile(archive, "w") as out:
            for file in files:
                out.write(base / f"img_align_celeba/{file}", f"img_align_celeba/{file}")
                (base / f"img_align_celeba/{file}").unlink()
        (base / "img_align_celeba").rmdir()
        path = archive if layout == "zip" else tmp_path
    splits = list_items(params("celeba", path))
    for number, split in enumerate(SPLITS):
        assert {item.id[-10:] for item in splits[split]} == {files[number], files[number + 3]}
    whole = Image.open(io.BytesIO(picture(0, (178, 218))))
    centre = whole.crop((19, 39, 159, 179)).resize((16, 16), Image.Resampling.LANCZOS)  # 140 pixels
    first = next(item for item in splits["train"] if item.id.endswith(files[0]))
    assert np.array_equal(first.read(), np.asarray(centre))


CELEBA_LISTS = {
    "quotes": ("list_eval_partition.csv", '"image_id","partition"\n', '"{}","{}"\n', "utf-8"),
    "semicolons": ("list_eval_partition.csv", "image_id;partition\r\n", "{};{}\r\n", "utf-8"),
    "mark": ("list_eval_partition.txt", "", "{} {}\n", "utf-8-sig"),
    "utf-16": ("list_eval_partition.txt", "", "{}\t{}\n", "utf-16"),
    "old mac": ("list_eval_partition.txt", "", "{}  {}\r", "utf-8"),
}


@pytest.mark.parametrize("kind", CELEBA_LISTS)
@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_celebas_list_is_read_as_people_have_it(tmp_path: Path, kind: str, ending: str) -> None:
    name, header, line, encoding = CELEBA_LISTS[kind]
    files = [f"{i:06d}" for i in range(1, 7)]
    lines = header + "".join(line.format(f"{file}.jpg", i % 3) for i, file in enumerate(files))
    (tmp_path / name).write_bytes(lines.encode(encoding))
    fill(tmp_path, [f"img_align_celeba_png/{file}{ending}" for file in files], size=(178, 218))
    splits = list_items(params("celeba", tmp_path))
    assert [len(splits[split]) for split in SPLITS] == [2, 2, 2]


def test_what_is_wrong_with_celeba_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, [f"img_align_celeba/{i:06d}.jpg" for i in range(6)], size=(178, 218))
    listed = tmp_path / "list_eval_partition.txt"
    for text, message in [
        ("", "has no line with a file name and 0, 1 or 2"),
        ("".join(f"{i:05d}.jpg {i % 3}\n" for i in range(6)), "names none of the 6 images in .*; one is "),
        ("".join(f"{i:06d}.jpg {i % 2}\n" for i in range(6)), "puts none of the images in .* into test"),
        ("000000.jpg 7\n000001.jpg 0\n", r"list_eval_partition\.txt, line 1: not a file name and 0, 1 or 2"),
        ("000000.jpg 0\n000001.jpg 7\n", r"list_eval_partition\.txt, line 2: not a file name and 0, 1 or 2"),
    ]:
        listed.write_text(text)
        with pytest.raises(UserError, match=message) as caught:
            list_items(params("celeba", tmp_path))
        assert "data.split" not in str(caught.value)
        assert "\n" not in str(caught.value)
    assert capsys.readouterr().err == ""
    listed.write_text("".join(f"{i:06d}.jpg {i % 3}\n" for i in range(5)))
    assert sum(map(len, list_items(params("celeba", tmp_path)).values())) == 5
    assert "does not name 1 images: img_align_celeba/000005.jpg" in capsys.readouterr().err


OTHERWISE = [
    *[("Training", "Testing"), ("training_set", "test_set")],
    *[("train2017", "test2017"), ("TRAIN", "Test Images")],
]


@pytest.mark.parametrize("folders", OTHERWISE)
def test_the_split_folders_may_be_called_otherwise(tmp_path: Path, folders: tuple[str, str]) -> None:
    splits = list_items(params("folder", fill(tmp_path, [*names(folders[0], 20), *names(folders[1], 5)])))
    assert ids(splits)["test"] == set(names(folders[1], 5))


def test_a_folder_that_may_not_be_read_is_a_reject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, [*names("a/open", 15), *names("a/closed", 5)])
    scandir = os.scandir

    def refuse(path: Any = ".") -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    items = list(chain.from_iterable(list_items(params("folder", tmp_path)).values()))
    assert len(items) == 16
    (closed,) = [item for item in items if item.id == "a/closed/*"]
    with pytest.raises(Unusable, match="unreadable: Permission denied"):
        closed.read()
    with pytest.raises(UserError, match="closed cannot be read"):
        list_items(params("folder", tmp_path / "a/closed"))


def test_what_is_no_file_is_a_reject_and_never_waited_for(tmp_path: Path) -> None:
    fill(tmp_path, names("a", 12))
    os.mkfifo(tmp_path / "a/pipe.png")
    (tmp_path / "a/link.png").symlink_to("nowhere")
    (tmp_path / "a/zero.png").symlink_to("/dev/zero")
    items = {item.id: item for item in chain.from_iterable(list_items(params("folder", tmp_path)).values())}
    for name, reason in [("pipe", "a pipe"), ("link", "No such file"), ("zero", "a device")]:
        with pytest.raises(Unusable, match=reason):
            items[f"a/{name}.png"].read()
    with pytest.raises(UserError, match="neither a folder nor a file"):
        list_items(params("folder", tmp_path / "a/pipe.png"))


def test_digits_have_labels_and_full_contrast() -> None:
    splits = list_items(params("digits", channels=1))
    assert sum(map(len, splits.values())) == 1797
    assert {item.label for item in splits["test"]} == set(range(10))
    assert max(item.read().max() for item in splits["test"]) == 255


def test_drawn_faces_are_what_their_number_says() -> None:
    splits = list_items(params("drawn", seed=3))
    assert {split: len(items) for split, items in splits.items()} == {"train": 3200, "val": 400, "test": 400}
    item = splits["test"][0]
    row = draw_factors(4000, 3)[int(item.id[-4:])]
    assert np.array_equal(item.read(), draw_face(row, 16))
    assert list_items(params("drawn", channels=1))["val"][0].read().shape == (16, 16, 1)


def test_every_factor_of_a_drawn_face_is_seen_and_the_hidden_ones_lie_in_the_centre() -> None:
    size, whole = 64, np.array([1.0] * len(CONTINUOUS) + [0.0] * len(DISCRETE))
    for i, name in enumerate(CONTINUOUS + DISCRETE):
        ends = []
        for value in (-1.0, 1.0) if name in CONTINUOUS else (0.0, 1.0):
            row = whole.copy()
            row[i] = value
            ends.append(draw_face(row, size).astype(int))
        changed = np.abs(ends[1] - ends[0]).max(2) > 8
        assert changed.sum() > 10, name
        changed[size // 4 : -size // 4, size // 4 : -size // 4] = False
        assert changed.any() == (name not in HIDDEN), name


def write_idx(path: Path, array: np.ndarray) -> None:
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + array.tobytes())


def test_mnist_files_become_items_and_are_not_touched(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST/raw"
    for part, count in (("train", 20), ("t10k", 5)):
        write_idx(raw / f"{part}-images-idx3-ubyte", np.full((count, 28, 28), count, np.uint8))
        write_idx(raw / f"{part}-labels-idx1-ubyte", np.arange(count, dtype=np.uint8) % 10)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    splits = list_items(params("mnist", tmp_path, image_size=32))
    assert {split: len(items) for split, items in splits.items()} == {"train": 18, "val": 2, "test": 5}
    assert {item.id: item.label for item in splits["test"]} == {f"MNIST/test/{i:05d}": i for i in range(5)}
    assert splits["test"][0].read().tolist() == np.full((32, 32, 3), 5).tolist()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.skipif(not (DATA / "mnist").is_dir(), reason="../shared/data/mnist is not there")
@pytest.mark.slow
def test_the_packed_mnist_is_unpacked_in_a_copy() -> None:
    before = sorted((DATA / "mnist").rglob("*"))
    splits = list_items(params("mnist", DATA / "mnist", image_size=32, channels=1))
    assert {split: len(items) for split, items in splits.items()} == {
        "train": 54000,
        "val": 6000,
        "test": 10000,
    }
    with gzip.open(DATA / "mnist/MNIST/raw/t10k-labels-idx1-ubyte.gz") as file:
        truth = np.frombuffer(file.read()[8:], np.uint8)
    assert all(item.label == truth[int(item.id[-5:])] for item in splits["test"])
    assert sorted((DATA / "mnist").rglob("*")) == before


def test_regions_of_photographs_are_disjoint_and_roomy() -> None:
    for seed in range(20):
        generator = np.random.Generator(np.random.PCG64(seed))
        for size in [(451, 300), (741, 500), (512, 512)]:
            covered = np.zeros((size[1], size[0]), int)
            for box in photos.regions(*size, generator).values():
                covered[box.top : box.bottom, box.left : box.right] += 1
                assert min(box.right - box.left, box.bottom - box.top) >= photos.SIDES[-1]
            assert covered.min() == covered.max() == 1


def test_crops_of_photographs_share_no_pixel_between_splits() -> None:
    pictures = photos.load_pictures()
    crops = photos.draw_crops(pictures, 64, seed=0)
    assert {split: len(items) for split, items in crops.items()} == photos.COUNTS
    covered = {
        split: {name: np.zeros(p.size[::-1], bool) for name, p in pictures.items()} for split in SPLITS
    }
    for split, items in crops.items():
        assert len(set(items)) == len(items)
        assert {crop.box.right - crop.box.left for crop in items} == set(photos.SIDES)
        assert 0.4 < np.mean([crop.flip for crop in items]) < 0.6
        for crop in items:
            left, top, right, bottom = crop.box
            assert left >= 0
            assert top >= 0
            width, height = pictures[crop.picture].size
            assert right <= width
            assert bottom <= height
            covered[split][crop.picture][top:bottom, left:right] = True
            square = np.asarray(photos.cut(pictures[crop.picture], crop).convert("L"), np.float32)
            assert square.std() >= photos.FLAT - 1e-3
    for name in pictures:
        assert sum(covered[split][name].astype(int) for split in SPLITS).max() == 1


def test_a_mirrored_crop_is_the_crop_mirrored() -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    box = photos.Box(2, 3, 6, 7)
    plain, mirrored = (np.asarray(photos.cut(ramp, photos.Crop("x", box, flip))) for flip in (False, True))
    assert plain[0].tolist() == [50, 51, 52, 53]
    assert np.array_equal(mirrored, plain[:, ::-1])


def write_cifar10(folder: Path, count: int) -> np.ndarray:
    """The binary version, `count` images a file; returns the test batch, uint8 [count, 32, 32, 3]."""
    folder.mkdir(parents=True)
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    for seed, name in enumerate(names):
        images = np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), np.uint8)
        labels = np.arange(count, dtype=np.uint8)[:, None]
        rows = np.concatenate([labels, images.transpose(0, 3, 1, 2).reshape(count, -1)], 1)
        (folder / name).write_bytes(rows.tobytes())
    return images


@pytest.mark.parametrize("where", [".", "cifar-10-batches-bin"])
def test_cifar10_is_read_from_its_binary_version(tmp_path: Path, where: str) -> None:
    images = write_cifar10(tmp_path / "cifar-10-batches-bin", 8)
    splits = list_items(params("cifar10", tmp_path / where, image_size=32))
    assert {split: len(items) for split, items in splits.items()} == {"train": 36, "val": 4, "test": 8}
    for item in splits["test"]:
        assert item.label == int(item.id[-5:])
        assert np.array_equal(item.read(), images[int(item.id[-5:])])  # planes and rows in their order


def test_svhn_is_read_from_matlab_files(tmp_path: Path) -> None:
    for part, count in (("train", 20), ("test", 12)):
        images = np.random.default_rng(count).integers(0, 256, (count, 32, 32, 3), np.uint8)
        labels = (np.arange(count, dtype=np.uint8) % 10 + 1)[:, None]  # 1 .. 10; 10 is the digit 0
        savemat(tmp_path / f"{part}_32x32.mat", {"X": images.transpose(1, 2, 3, 0), "y": labels})
    splits = list_items(params("svhn", tmp_path, image_size=32))
    assert {split: len(items) for split, items in splits.items()} == {"train": 18, "val": 2, "test": 12}
    for item in splits["test"]:
        assert item.label == (int(item.id[-5:]) + 1) % 10
        assert np.array_equal(item.read(), images[int(item.id[-5:])])


@pytest.mark.parametrize(
    ("source", "name", "content", "said"),
    [
        ("svhn", "nothing", None, r"train_32x32\.mat does not exist; data\.path is the folder of svhn"),
        ("svhn", "train_32x32.mat", b"<html>", "cannot be read as SVHN"),
        ("cifar10", "data_batches.pkl", b"", r"data_batch_1\.bin does not exist.*the binary version"),
        ("cifar10", "data_batch_1.bin", b"x" * 3072, "3072 bytes, no multiple of 3,073"),
    ],
)
def test_what_is_no_published_file_is_named(
    tmp_path: Path, source: str, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said) as raised:
        list_items(params(source, tmp_path))
    assert "\n" not in str(raised.value)


def test_numbers_are_digits_on_photographs_of_their_own_split() -> None:
    splits = list_items(params("numbers", image_size=32, limit=40))
    digits, grounds = (list_items(params(source, image_size=32)) for source in ("mnist_5k", "photos"))
    by_id = {split: {item.id: item for item in digits[split] + grounds[split]} for split in SPLITS}
    for split in SPLITS:
        assert len(splits[split]) == 40
        assert {item.label for item in splits[split]} == set(range(10))
        for item in splits[split][:5]:
            digit, ground = (by_id[split][name].read().astype(int) for name in item.id.split(" on "))
            np.testing.assert_array_equal(item.read(), np.abs(ground - digit))
            assert (item.read() != ground).any()
