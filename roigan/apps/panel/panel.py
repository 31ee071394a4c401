"""A page that asks people of pictures whether they look natural, and the share of each method that does.

As the panel of ChromaGAN (P. Vitoria, L. Raad, C. Ballester, 2020): a picture at a time, for a few seconds,
from several methods in random order. Nobody who answers can tell from the page which is whose.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from scipy.stats import binomtest

from roigan.errors import UserError
from roigan.files.atomic import writing
from roigan.image_io.lossless import bands, read_picture
from roigan.images.grids import png
from roigan.inference.jobs import pictures_in

KEY = ["picture", "method", "file"]
ANSWERS = ["picture", "natural", "seconds"]


def write_panel(folders: Mapping[str, Path], page: Path, each: int, seconds: float, seed: int) -> Path:
    """Write a page that needs nothing else, and beside it the key to it, whose path is returned.

    folders: pictures by the name of the method that made them; each: how many of a folder are shown at most,
    drawn by `seed`. Raises UserError for a folder without pictures, or with one that cannot be read.
    """
    rng = np.random.default_rng(seed)
    found = [
        (method, file)
        for method, folder in folders.items()
        for file in sorted(rng.permutation(np.array(pictures_in(folder), object))[:each])
    ]
    shuffled = [found[place] for place in rng.permutation(len(found))]
    shown = [base64.b64encode(png(_seen(file))).decode() for _, file in shuffled]
    key = page.with_suffix(".key.csv")
    environment = Environment(
        loader=PackageLoader("roigan.apps.panel", "."), undefined=StrictUndefined, autoescape=True
    )
    text = environment.get_template("page.html").render(pictures=shown, seconds=f"{seconds:g}")
    rows = [(number, method, file.name) for number, (method, file) in enumerate(shuffled)]
    with writing(key) as unfinished:
        pd.DataFrame(rows, columns=KEY).to_csv(unfinished, index=False)
    with writing(page) as unfinished:
        unfinished.write_text(text)
    return key


def _seen(file: Path) -> np.ndarray:
    """A picture as it looks, uint8 [H, W, 1 or 3]; its metadata, which may name a method, are left out."""
    return np.rint(np.concatenate(list(bands(read_picture(file)))) * 255).astype(np.uint8)


def judged(answers: Sequence[Path], key: Path) -> pd.DataFrame:
    """The share of each method's pictures that was called natural, with Wilson's interval of 95 %.

    Columns: method, n (answers), natural, low, high, seconds (median). An interval takes answers for
    independent, which those of one person, or of one picture, are not quite. Raises UserError for files that
    are no answers to this key.
    """
    known = _read(key, KEY)
    given = pd.concat([_read(file, ANSWERS) for file in answers])
    if strange := set(given["picture"]) - set(known["picture"]):
        raise UserError(f"{key} has no picture {min(strange)}: these are answers to another page")
    if not given["natural"].isin([0, 1]).all():
        raise UserError("the column `natural` of the answers holds something else than 0 and 1")
    rows = []
    for method, of_method in given.merge(known, on="picture").groupby("method"):
        yes, n = int(of_method["natural"].sum()), len(of_method)
        interval = binomtest(yes, n).proportion_ci(method="wilson")
        rows.append((method, n, yes / n, interval.low, interval.high, of_method["seconds"].median()))
    table = pd.DataFrame(rows, columns=["method", "n", "natural", "low", "high", "seconds"])
    return table.sort_values("natural", ascending=False, ignore_index=True)


def _read(file: Path, columns: list[str]) -> pd.DataFrame:
    if not file.is_file():
        raise UserError(f"{file} does not exist")
    try:
        table = pd.read_csv(file)
    except (ValueError, pd.errors.ParserError):  # not UTF-8, or empty, or no table
        table = pd.DataFrame()
    if list(table.columns) != columns or table.empty:
        raise UserError(f"{file} is no table of {', '.join(columns)}")
    return table
