"""Ranking metrics equal scikit-learn's; the table of a model that scores; rivals; sets that are made."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor

from roigan.config import EvaluateParams, Gate
from roigan.evaluation import detectors as detectors_module
from roigan.evaluation import foreign
from roigan.evaluation.bootstrap import Ranked, ranked_deviation
from roigan.evaluation.detection import COLUMNS, measure
from roigan.evaluation.detectors import CEILING, Detector, directions, ink, nearest, pca, pixels
from roigan.evaluation.gates import judge
from roigan.evaluation.metrics.ranking import draws, ranking
from roigan.images.arrays import to_float

PARAMS = EvaluateParams(bootstrap=200)


def values(normal: Tensor, anomalous: Tensor) -> dict[str, float]:
    return {name: value.item() for name, value in ranking(normal, anomalous).items()}


@pytest.mark.parametrize("ties", [False, True])
def test_they_are_those_of_scikit_learn(ties: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    normal, anomalous = torch.randn(300, generator=generator), torch.randn(70, generator=generator) + 1
    if ties:
        normal, anomalous = (2 * normal).round(), (2 * anomalous).round()
    truth, scores = np.repeat([0, 1], [300, 70]), torch.cat([normal, anomalous]).numpy()
    found = values(normal, anomalous)
    assert found["ap"] == pytest.approx(average_precision_score(truth, scores))
    assert found["ap_normal"] == pytest.approx(average_precision_score(1 - truth, -scores))
    assert found["auroc"] == pytest.approx(roc_auc_score(truth, scores))


def test_ends() -> None:
    low, high = torch.zeros(30) + torch.arange(30) / 100, torch.ones(10)
    assert values(low, high) == pytest.approx({"ap": 1, "ap_normal": 1, "auroc": 1, "fpr95": 0})
    same = values(torch.zeros(30), torch.zeros(10))
    assert (same["ap"], same["ap_normal"], same["auroc"], same["fpr95"]) == (0.25, 0.75, 0.5, 1)
    with pytest.raises(ValueError, match="no number"):
        ranking(torch.tensor([float("nan")]), torch.ones(1))


def test_what_passes_a_threshold_that_95_of_100_pass() -> None:
    normal, anomalous = torch.arange(100.0), torch.tensor([10.0, 94.0, 94.5, 200.0])
    assert values(normal, anomalous)["fpr95"] == 0.5  # 95 and above are flagged: 5 of 100
    assert values(normal, torch.tensor([95.0]))["fpr95"] == 0


def test_weights_are_repetitions() -> None:
    normal, anomalous = torch.tensor([0.0, 1.0, 3.0]), torch.tensor([1.0, 2.0])
    weights = torch.tensor([[2.0, 0, 1, 3, 1]])
    repeated = ranking(torch.tensor([0.0, 0, 3]), torch.tensor([1.0, 1, 1, 2]))
    for name, value in ranking(normal, anomalous, weights).items():
        if name != "fpr95":
            assert value.item() == pytest.approx(repeated[name].item()), name
    drawn = draws(3, 2, 50, torch.Generator().manual_seed(0))
    assert (drawn[:, :3].sum(1) == 3).all()
    assert (drawn[:, 3:].sum(1) == 2).all()


def images(count: int, level: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.clip(random.normal(level, 20, (count, 8, 8, 1)), 0, 255).astype(np.uint8)


def by_mean(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images.mean((1, 2, 3))).float()


def detectors() -> dict[str, Detector]:
    random = torch.Generator().manual_seed(0)
    every = torch.randn(3, 64, generator=random)
    return {
        "mine": Detector(by_mean),
        "chance": Detector(lambda images: torch.rand(len(images), generator=random)),
        "family": Detector(
            lambda images: {"one": -by_mean(images), CEILING: pixels(images) @ every.T}
        ),
        "slow": Detector(by_mean, limit=10),
    }  # fmt: skip


def test_the_table() -> None:
    found = measure(detectors(), images(60, 100, 0), {"bright": images(20, 110, 1)}, PARAMS, "mine")
    table = found.table.set_index("method")
    assert list(found.table.columns) == COLUMNS
    assert (table["mask"] == "bright").all()
    assert table.loc["mine", "base_rate"] == 0.25
    assert table.loc["mine", "auroc"] > 0.95 > 0.6 > table.loc["chance", "auroc"] > 0.4
    assert table.loc["one", "auroc"] == pytest.approx(1 - table.loc["mine", "auroc"])
    assert table.loc["slow", "n"] == 20
    assert np.isnan(table.loc["slow", "lead"])
    assert np.isnan(table.loc["mine", "lead"])
    assert table.loc["chance", "lead_low"] > 0
    low, ap, high = table.loc["chance", ["ap_low", "ap", "ap_high"]]
    assert low < ap < high
    assert isinstance(found.scored["mine", "bright"], Ranked)


def test_the_best_in_hindsight_is_the_best() -> None:
    random = torch.Generator().manual_seed(0)
    scores = {"normal": torch.randn(50, 4, generator=random), "other": torch.randn(20, 4, generator=random)}
    scores["other"][:, 2] += 3
    family = {"f": Detector(lambda images: scores["normal" if len(images) == 50 else "other"])}
    found = measure(family, images(50, 0, 0), {"set": images(20, 0, 0)}, PARAMS, "f")
    expected = values(scores["normal"][:, 2], scores["other"][:, 2])["ap"]
    table = found.table.set_index("method")
    # images are shuffled before they are scored, but this family looks at none
    assert table.loc["f", "ap"] == pytest.approx(expected)


def test_a_gate_on_a_set_holds_beyond_chance() -> None:
    found = measure(detectors(), images(60, 100, 0), {"bright": images(20, 110, 1)}, PARAMS, "mine")
    rival = Ranked(*found.scored["chance", "bright"])
    scored = {("mine", "bright"): found.scored["mine", "bright"], ("ink", "bright"): rival}
    table = found.table.replace({"method": {"chance": "ink"}})
    gates = [Gate(metric="ap", set="bright", above="ink"), Gate(metric="auroc", set="bright", above=0.999)]
    first, second = judge(
        gates, table, "mine", scored, PARAMS, found.table.iloc[:0].assign(control="", read=0.0)
    )
    assert first["gate"] == "ap on bright above ink"
    assert first["passed"]
    assert first["uncertainty"] > 0
    assert not second["passed"]
    mine = scored["mine", "bright"]
    assert isinstance(mine, Ranked)
    assert ranked_deviation("ap", mine, mine, 50, 0) == 0  # the same draws on both sides
    with pytest.raises(ValueError, match="either `mask` or `set`"):
        Gate(metric="ap", set="bright", mask="whole", above=0.5)


# --- Rivals and sets ---


def test_the_nearest_is_the_nearest() -> None:
    train, test = images(40, 100, 0), images(7, 120, 1)
    expected = (to_float(test).flatten(1)[:, None] - to_float(train).flatten(1)).square().sum(2).min(1).values
    found = nearest(train, pixels, torch.device("cpu")).score(test)
    assert isinstance(found, Tensor)
    assert torch.allclose(found, expected, rtol=1e-3)


def test_a_cosine_minds_no_exposure() -> None:
    """Half as bright is the same direction; other images are others."""
    train = np.random.default_rng(0).integers(0, 128, (20, 8, 8, 1), np.uint8) * 2
    found = nearest(train, directions, torch.device("cpu")).score(np.concatenate([train // 2, 255 - train]))
    assert isinstance(found, Tensor)
    assert found[:20].max() < 1e-5 < 1e-2 < found[20:].min()


def test_a_plane_knows_what_lies_in_it() -> None:
    random = np.random.default_rng(0)
    basis = random.normal(0, 8, (3, 64))
    train = (
        np.clip(128 + random.normal(0, 1, (500, 3)) @ basis, 0, 255).reshape(500, 8, 8, 1).astype(np.uint8)
    )
    score = pca(train).score
    inside, outside = score(train[:50]), score(images(50, 128, 1))
    assert isinstance(inside, Tensor)
    assert isinstance(outside, Tensor)
    assert inside.max() < outside.min() / 10


def test_a_plane_is_the_same_from_either_side() -> None:
    """Few images of many pixels: the eigenvectors come from the products of images."""
    x = torch.randn(60, 90, generator=torch.Generator().manual_seed(0))
    x[:, 50:] *= 0.01  # a gap behind the 50th
    tall = detectors_module._strongest(x)
    wide = torch.linalg.eigh(x.T @ x)[1][:, -50:]
    assert tall.shape == (90, 50)
    assert torch.allclose(tall @ tall.T, wide @ wide.T, atol=1e-3)


def test_ink_is_one_number() -> None:
    train = images(50, 100, 0)
    found = ink(train).score(np.stack([np.full((8, 8, 1), level, np.uint8) for level in (100, 150, 50)]))
    assert isinstance(found, Tensor)
    assert found.tolist() == pytest.approx([abs(level - train.mean()) for level in (100, 150, 50)], abs=1e-3)


def patches(image: Tensor) -> set[tuple[float, ...]]:
    """Of an image [1, 28, 28], squares of 7 pixels."""
    return {tuple(row) for row in image[0].unfold(0, 7, 7).unfold(1, 7, 7).flatten(0, 1).flatten(1).tolist()}


def test_made_sets() -> None:
    test = np.random.default_rng(0).integers(0, 256, (30, 28, 28, 1), np.uint8)
    sets = foreign.made(test, 0)
    assert all(images.shape == test.shape for images in sets.values())
    assert np.array_equal(sets["upside_down"], test[:, ::-1])
    x = to_float(test)
    moved = to_float(sets["shuffled"])
    for before, after in zip(x[:3], moved[:3], strict=True):  # the same patches in another order
        patches = [
            image.unfold(1, 7, 7).unfold(2, 7, 7).flatten(1, 2).flatten(2)[0] for image in (before, after)
        ]
        found = {tuple(row) for row in patches[0].tolist()}
        assert found == {tuple(row) for row in patches[1].tolist()}
        assert not torch.equal(before, after)
    assert to_float(sets["blurred"]).std() < 0.3 * x.std()
    again = foreign.made(test, 0)
    assert all(np.array_equal(images, again[name]) for name, images in sets.items())
    assert not np.array_equal(sets["uniform"], foreign.made(test, 1)["uniform"])
