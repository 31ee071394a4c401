"""Stage `prepare`: pictures of a source -> packed arrays, manifest, statistics, rejects, contact sheet."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from roigan.config import DataParams
from roigan.datasets.items import SPLITS, Item
from roigan.datasets.sources import list_items
from roigan.errors import UserError
from roigan.image_io.contents import Unusable
from roigan.images.grids import grid, save_png

SHEET = {"train": 96, "val": 24, "test": 24}
"""Images of each split on the contact sheet."""
SHEET_COLUMNS = 12


class Packed(NamedTuple):
    """What packing a split found out."""

    rows: list[dict[str, Any]]
    """The split's part of the manifest."""
    sha256: str
    """Of the pixels in order."""
    sums: np.ndarray
    """int64 [2, C]: sum and sum of squares of the pixels, exact on every machine."""


def prepare(params: DataParams, folder: Path) -> dict[str, Any]:
    """Pack a source into `folder` (see roigan/paths.py for the files) and return the statistics.

    The arrays are written picture by picture, so that memory does not grow with the source. Of equal pictures
    (by their packed pixels) the first one stays, foreign sets before test before val before train: what leaks
    from train into the others is removed from train.

    Raises UserError for a source that cannot be used, a split left without images, and where a larger share
    than `data.max_rejected` was rejected (rejects.csv is written all the same).
    """
    splits = list_items(params)
    folder.mkdir(parents=True, exist_ok=True)
    shape = (params.image_size, params.image_size, params.channels)
    seen: dict[bytes, str] = {}  # hash of the pixels -> id
    rejects: list[dict[str, str]] = []
    packed: dict[str, Packed] = {}
    for split in reversed(splits):
        packed[split] = _pack(splits[split], folder / f"{split}.npy", shape, split, seen, rejects)
    _write_rejects(rejects, folder / "rejects.csv", sum(map(len, splits.values())), params.max_rejected)
    for split in splits:
        if not packed[split].rows:
            raise UserError(f"every image of split {split} was rejected; see {folder / 'rejects.csv'}")
    manifest = pd.DataFrame([row for split in splits for row in packed[split].rows])
    manifest["label"] = manifest["label"].astype("Int64")  # integers with gaps
    manifest.to_parquet(folder / "manifest.parquet", index=False)
    statistics = _statistics(packed, params, len(rejects), manifest)
    (folder / "statistics.json").write_text(json.dumps(statistics, indent=2) + "\n")
    _draw_contact_sheet(folder)
    return statistics


def _pack(
    items: list[Item],
    path: Path,
    shape: tuple[int, int, int],
    split: str,
    seen: dict[bytes, str],
    rejects: list[dict[str, str]],
) -> Packed:
    """Write the usable items one after the other as a .npy file; adds to `seen` and `rejects`."""
    rows: list[dict[str, Any]] = []
    digest = hashlib.sha256()
    sums = np.zeros((2, shape[2]), np.int64)
    with path.open("wb") as file:
        _write_header(file, (len(items), *shape))
        for item in tqdm(items, desc=f"prepare {split}", unit="image", delay=2, file=sys.stderr):
            try:
                pixels = item.read()  # uint8 [S, S, C]
                content = pixels.tobytes()
                sha256 = hashlib.sha256(content)
                if sha256.digest() in seen:
                    raise Unusable(f"duplicate of {seen[sha256.digest()]}")
            except Unusable as reason:
                rejects.append({"file": item.id, "reason": str(reason)})
                continue
            seen[sha256.digest()] = item.id
            row = {"split": split, "index": len(rows), "id": item.id, "source": item.source}
            rows.append(row | {"sha256": sha256.hexdigest(), "label": item.label})
            digest.update(content)
            file.write(content)
            levels = pixels.reshape(-1, shape[2]).astype(np.int64)  # [S * S, C]
            sums += np.stack([levels.sum(0), (levels**2).sum(0)])
        file.seek(0)
        _write_header(file, (len(rows), *shape))
    return Packed(rows, digest.hexdigest(), sums)


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """The length does not depend on the number of images: numpy leaves room for it to grow."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _write_rejects(rejects: list[dict[str, str]], path: Path, total: int, max_rejected: float) -> None:
    pd.DataFrame(rejects, columns=["file", "reason"]).to_csv(path, index=False, errors="backslashreplace")
    if len(rejects) > max_rejected * total:
        first = rejects[0]
        raise UserError(
            f"{len(rejects)} of {total} images are unusable, data.max_rejected allows a share of "
            f"{max_rejected:g}; the first is {first['file']} ({first['reason']}); all are in {path}"
        )


def _statistics(
    packed: dict[str, Packed], params: DataParams, rejected: int, manifest: pd.DataFrame
) -> dict[str, Any]:
    labels = manifest["label"][manifest["split"].isin(SPLITS)]
    order = [*SPLITS, *(name for name in packed if name not in SPLITS)]
    hashes = {split: packed[split].sha256 for split in order}
    described = json.dumps([params.image_size, params.channels, hashes], sort_keys=True)
    count = len(packed["train"].rows) * params.image_size**2
    mean, square = packed["train"].sums / count  # [C] each, of levels 0 .. 255
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    return {
        "source": params.source,
        "image_size": params.image_size,
        "channels": params.channels,
        "counts": {split: len(packed[split].rows) for split in order},
        "mean": [round(value / 255, 6) for value in mean.tolist()],
        "std": [round(value / 255, 6) for value in deviation.tolist()],
        "sha256": hashes,
        "data": hashlib.sha256(described.encode()).hexdigest()[:16],
        "rejected": rejected,
        "labels": None if labels.isna().any() else int(labels.nunique()),
        "divided": bool(params.anomalous or params.normal),
    }


def _draw_contact_sheet(folder: Path) -> None:
    """The first images of each split; rows of train come first, then val, then test."""
    images = [np.load(folder / f"{split}.npy", mmap_mode="r")[:count] for split, count in SHEET.items()]
    save_png(folder / "contact_sheet.png", grid(np.concatenate(images), SHEET_COLUMNS))
