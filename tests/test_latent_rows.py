"""The table of latent searches: rows are paired image by image, and a first z sees nothing of the region."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import latent_search
from benchmarks.latent_search import FIRSTS, SETS, of_first, pair, paired_with
from roigan.errors import UserError
from roigan.systems.model import Model


class Blind:
    """A model that projects: z is the image itself."""

    def project(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)


def test_the_encoder_sees_what_is_known_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    train = np.full((2, 8, 8, 3), 100, np.uint8)
    monkeypatch.setattr(latent_search, "load_split", lambda *_: train)
    first = FIRSTS["of P"](cast(Model, Blind()))
    x, M = torch.rand(2, 3, 8, 8), torch.zeros(2, 1, 8, 8)
    M[..., 2:5, 2:5] = 1
    z = torch.zeros(2, 4)
    begun = first(x, M, z)
    assert torch.equal(begun, first(x.where(M < 0.5, -x), M, z))
    known = (M < 0.5).expand_as(x)
    assert torch.equal(begun.view_as(x)[known], x[known])


def test_other_first_z() -> None:
    x, z = torch.zeros(2, 3, 8, 8), torch.randn(2, 4)
    model = cast(Model, Blind())
    assert torch.equal(FIRSTS["random"](model)(x, x[:, :1], z), z)
    assert not FIRSTS["0"](model)(x, x[:, :1], z).any()


def test_the_error_is_that_of_the_differences() -> None:
    table = pd.DataFrame({"method": ["none"]})
    pair(table, pd.DataFrame({"none": [2.0, 3.0, 4.0]}))
    assert table["above"].item() == pytest.approx(3)
    assert table["above_se"].item() == pytest.approx(1 / 3**0.5)


def test_rows_of_other_images_are_not_paired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = of_first(argparse.Namespace(dataset="faces64", mask="centre"), "papers")
    errors = pd.DataFrame({"none": [1.0, 2.0]})
    with pytest.raises(UserError, match="first setting"):
        paired_with(path, errors)
    path.parent.mkdir(parents=True)
    errors.to_csv(path, index=False)
    assert paired_with(path, errors).equals(errors)
    with pytest.raises(UserError, match="is of 2 images; use --images 2"):
        paired_with(path, errors[:1])


def test_every_set_begins_with_what_its_rows_are_paired_with() -> None:
    assert [next(iter(settings)) for settings in SETS.values()] == [
        "Yeh et al.", "default", "first z random, 150 steps",
    ]  # fmt: skip
