"""Every released model is small, loads, completes, and says what it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from roigan.config import SearchParams
from roigan.corruptions.sampling import sample
from roigan.files.tensors import sha256_of
from roigan.inference.latent_search import completing
from roigan.systems.model import WEIGHTS, Model
from tests.conftest import ROOT

RELEASES = sorted((ROOT / "releases").glob("*/config.json"))


@pytest.mark.parametrize("config", RELEASES, ids=lambda path: path.parent.name)
def test_a_release(config: Path) -> None:
    folder = config.parent
    assert (folder / WEIGHTS).stat().st_size <= 15e6
    card = (folder / "README.md").read_text()
    for word in ("Data", "FID", "border", "What falls short"):
        assert word in card
    tables = [ROOT / "docs/results" / name for name in ("roigan.csv", "latent-search.csv")]
    scored = " ".join(table.read_text() for table in tables)
    assert sha256_of(folder / WEIGHTS)[:8] in scored
    quick = SearchParams(steps=2, precision="fp32")
    model, generator = completing(Model.load(folder), quick), torch.Generator().manual_seed(0)
    size = model.image_size
    x = torch.rand(2, model.channels, size, size, generator=generator) * 2 - 1
    M = sample("mixture", 2, size, generator)
    y = model.complete(x, M, model.latent(2, generator))
    assert torch.equal(torch.where(M > 0.5, 0, x), torch.where(M > 0.5, 0, y))
    assert not torch.equal(x, y)
