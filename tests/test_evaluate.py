"""The evaluator, its baselines and the gates, on sets small enough to reason about."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from roigan.config import EvaluateParams, Gate
from roigan.corruptions.sampling import sample
from roigan.errors import UserError
from roigan.evaluation import methods as baselines
from roigan.evaluation.bootstrap import Scored, deviation
from roigan.evaluation.completion import COLUMNS, measure
from roigan.evaluation.gates import judge, summary
from roigan.features.local import LocalTrunk
from roigan.features.network import FeatureNetwork, calibrate
from roigan.images.arrays import to_float, to_uint8

PARAMS = EvaluateParams(batch_size=8, diversity_images=4, diversity_samples=2)


def pictures(count: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Smooth random pictures, uint8 [count, 32, 32, channels]."""
    coarse = torch.rand(count, channels, 4, 4, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return to_uint8(torch.nn.functional.interpolate(coarse, size=32, mode="bicubic"))


def network(channels: int = 3) -> FeatureNetwork:
    """An untrained network of 16 features: enough to test what is done with features."""
    torch.manual_seed(0)
    features = FeatureNetwork("local", LocalTrunk(channels, 4))
    calibrate(features, pictures(64, channels, seed=9))
    return features


def ellipses(count: int = 8) -> Tensor:
    return sample("ellipse", count, 32, torch.Generator().manual_seed(0))


def noise(x: Tensor, M: Tensor, generator: torch.Generator) -> Tensor:
    return torch.where(M > 0.5, torch.rand(x.shape, generator=generator) * 2 - 1, x)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_table(channels: int) -> None:
    test = pictures(40, channels)
    completions = {
        "noise": noise,
        "fmm": baselines.fast_marching(3),
        "nearest": baselines.nearest(pictures(20, channels, seed=1)),
    }
    masks = {"ellipse": ellipses(), "half": sample("half", 8, 32, torch.Generator().manual_seed(0))}
    table = measure(completions, test, masks, network(channels), PARAMS).table
    assert list(table.columns) == COLUMNS
    assert len(table) == 2 * 4
    assert table["chroma"].isna().all() == (channels == 1)
    assert np.isfinite(table.drop(columns="chroma").select_dtypes("number")).all(axis=None)
    assert (table["n"] == 40).all()
    rows = table.set_index(["mask", "method"]).loc["ellipse"]
    real, drawn, fmm = rows.loc["real"], rows.loc["noise"], rows.loc["fmm"]
    assert (real["l1"], real["ssim"], real["border"], real["diversity"]) == (0, pytest.approx(1), 1, 0)
    assert (real["pids"], real["percep"]) == (0.5, 0)
    assert max(drawn["pids"], drawn["uids"]) < 0.5
    assert drawn["percep"] > fmm["percep"] > 0
    assert real["fid"] > 0  # a floor, since the two halves hold different images
    assert fmm["diversity"] == 0 < drawn["diversity"]
    assert drawn["fid"] > real["fid"]
    assert drawn["kid"] > real["kid"]
    assert drawn["border"] > 2 > 1 > fmm["border"]
    if channels == 3:
        assert drawn["chroma"] > 1 == real["chroma"] > fmm["chroma"]
    assert fmm["l1"] < drawn["l1"]
    pd.testing.assert_frame_equal(table, measure(completions, test, masks, network(channels), PARAMS).table)


def test_a_method_is_scored_alone_as_beside_others() -> None:
    """Each has random numbers of its own, although all are scored on the same maps of the real images."""
    rivals = {"other": noise, "fmm": baselines.fast_marching(3), "noise": noise}
    tables = [
        measure(completions, pictures(12), {"ellipse": ellipses()}, network(), PARAMS).table.set_index(
            "method"
        )
        for completions in (rivals, {"noise": noise})
    ]
    pd.testing.assert_series_equal(tables[0].loc["noise"], tables[1].loc["noise"])
    pd.testing.assert_series_equal(tables[0].loc["noise"], tables[0].loc["other"], check_names=False)


def test_few_images_are_scored_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    table = measure({}, pictures(4), {"ellipse": ellipses()}, network(), PARAMS).table
    assert np.isfinite(table["fid"]).all()
    assert "trust KID" in capsys.readouterr().err


def test_too_few_images_are_refused() -> None:
    with pytest.raises(UserError, match="at least 4 test images, there are 3"):
        measure({}, pictures(3), {"ellipse": ellipses()}, network(), PARAMS)


def test_the_limit_holds() -> None:
    params = PARAMS.model_copy(update={"limit": 6})
    assert (measure({}, pictures(12), {"ellipse": ellipses()}, network(), params).table["n"] == 6).all()


def test_a_completion_that_touches_known_pixels_is_refused() -> None:
    def careless(x: Tensor, M: Tensor, generator: torch.Generator) -> Tensor:
        return x + 1e-7 * (M < 0.5)

    with pytest.raises(RuntimeError, match="careless changed pixels outside the region in 8 of 8"):
        measure({"careless": careless}, pictures(8), {"ellipse": ellipses()}, network(), PARAMS)


@pytest.mark.parametrize(
    "make", [lambda train: baselines.fast_marching(3), baselines.nearest], ids=["fmm", "nearest"]
)
def test_baselines_do_not_see_what_lies_inside(make: Callable) -> None:
    fill = make(pictures(10, seed=1))
    x, M = to_float(pictures(8)), ellipses()
    other = torch.where(M > 0.5, -x, x)
    generator = torch.Generator()
    assert torch.equal(fill(x, M, generator) * M, fill(other, M, generator) * M)


def test_nearest_is_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "CHUNK", 7)  # the answer must not depend on it
    train, test, M = pictures(30, seed=1), pictures(8), ellipses()
    y = baselines.nearest(train)(to_float(test), M, torch.Generator())
    known = M.movedim(1, -1).numpy() < 0.5  # [B, H, W, 1]
    for i, image in enumerate(test):
        distances = (((train.astype(float) - image) * known[i]) ** 2).sum((1, 2, 3))
        expected = np.where(known[i], image, train[distances.argmin()])
        np.testing.assert_array_equal(to_uint8(y[i]), expected)


NONE = pd.DataFrame({"control": pd.Series(dtype=str), "read": pd.Series(dtype=float)})  # a model without any


def table_of(value: float) -> pd.DataFrame:
    rows = [("mine", "ellipse", value), ("fmm", "ellipse", 10.0)]
    return pd.DataFrame(rows, columns=["method", "mask", "fid"])


@pytest.mark.parametrize(
    ("gate", "value", "passed"),
    [
        (Gate(metric="fid", mask="ellipse", below="fmm"), 9.9, True),
        (Gate(metric="fid", mask="ellipse", below="fmm"), 10.0, False),
        (Gate(metric="fid", mask="ellipse", below="fmm"), float("nan"), False),
        (Gate(metric="fid", mask="ellipse", above=0.0), 0.1, True),
        (Gate(metric="fid", mask="ellipse", above=5.0), 4.0, False),
    ],
)
def test_gates(gate: Gate, value: float, passed: bool) -> None:
    (found,) = judge([gate], table_of(value), "mine", {}, PARAMS, NONE)
    assert found["passed"] is passed


def test_a_gate_says_what_it_asked_for() -> None:
    gates = [
        Gate(metric="fid", mask="ellipse", below="fmm"),
        Gate(metric="fid", mask="ellipse", above=2.5, margin=9.0),
    ]
    first, second = judge(gates, table_of(12.0), "mine", {}, PARAMS, NONE)
    assert first == {
        "gate": "fid under ellipse below fmm",
        "value": 12.0,
        "bound": 10.0,
        "uncertainty": None,
        "passed": False,
    }
    assert second["gate"] == "fid under ellipse above 2.5 by 9"
    assert second["passed"]
    assert summary([first, second]) == "fid under ellipse below fmm fails (12 against 10)"
    assert summary([second]) == "1 of 1 gates hold"


def test_a_gate_on_what_is_read_of_the_controls() -> None:
    control = pd.DataFrame({"control": ["c0", "c1", "c2", "k0"], "read": [0.9, 0.8, -0.1, 0.45]})
    gates = [Gate(control="sliders", above=0.7), Gate(control="codes", above=0.5)]
    sliders, codes = judge(gates, table_of(1.0), "mine", {}, PARAMS, control)
    assert (sliders["value"], sliders["passed"]) == (0.8, True)  # the median
    assert (codes["value"], codes["passed"]) == (0.45, False)
    assert summary([codes]) == "codes read above 0.5 fails (0.45 against 0.5)"
    assert not judge(gates, table_of(1.0), "mine", {}, PARAMS, NONE)[0]["passed"]
    for wrong in ({"control": "codes", "above": "fmm"}, {"metric": "fid", "above": 1}, {"above": 1}):
        with pytest.raises(ValueError, match="a gate"):
            Gate.model_validate(wrong)


@pytest.mark.parametrize(("margin", "passed"), [(1.9, True), (2.0, False), (-1.0, True)])
def test_a_margin_is_what_it_must_be_better_by(margin: float, passed: bool) -> None:
    gate = Gate(metric="fid", mask="ellipse", below="fmm", margin=margin)
    assert judge([gate], table_of(8.0), "mine", {}, PARAMS, NONE)[0]["passed"] is passed


def test_a_champion_that_cannot_be_compared_is_not_beaten() -> None:
    (found,) = judge(
        [Gate(metric="fid", mask="ellipse", below="champion")], table_of(1.0), "mine", {}, PARAMS, NONE
    )
    assert np.isnan(found["bound"])
    assert not found["passed"]


def brightened(by: float) -> Callable:
    """A completion that is wrong by a constant, and by chance in some images."""

    def fill(x: Tensor, M: Tensor, generator: torch.Generator) -> Tensor:
        error = by + 0.2 * torch.rand(len(x), 1, 1, 1, generator=generator)
        return torch.where(M > 0.5, (x + error).clamp(-1, 1), x)

    return fill


@pytest.mark.parametrize("metric", ["l1", "percep", "fid", "kid"])
def test_a_difference_that_chance_may_have_made_is_not_enough(metric: str) -> None:
    rivals = {"mine": brightened(0.1), "twin": brightened(0.1), "fmm": noise}
    table, scored = measure(rivals, pictures(200), {"ellipse": ellipses()}, network(), PARAMS)
    gates = [Gate(metric=metric, mask="ellipse", below="fmm")]
    (clear,) = judge(gates, table, "mine", scored, PARAMS, NONE)
    assert clear["passed"]
    assert 0 < clear["uncertainty"] < clear["bound"] - clear["value"]
    twin = {key: scored["twin" if key[0] == "fmm" else key[0], key[1]] for key in scored}
    (same,) = judge(gates, table.replace({"method": {"fmm": "x", "twin": "fmm"}}), "mine", twin, PARAMS, NONE)
    assert same["uncertainty"] == 0  # the same images on both sides: chance moves both alike
    assert not same["passed"]
    (alone,) = judge([Gate(metric=metric, mask="ellipse", below=99.0)], table, "mine", scored, PARAMS, NONE)
    assert alone["uncertainty"] > 0
    (again,) = judge(gates, table, "mine", scored, PARAMS, NONE)
    assert again == clear  # seeded


def test_the_bootstrap_finds_the_standard_error_of_a_mean() -> None:
    values = torch.randn(400, generator=torch.Generator().manual_seed(0))
    mine = Scored({"l1": values}, torch.zeros(400, 2))
    other = Scored({"l1": values - values.square()}, torch.zeros(400, 2))
    for rival, expected in [(None, values.std()), (other, values.square().std())]:
        found = deviation("l1", mine, rival, torch.zeros(400, 2), draws=400, seed=0)
        assert found == pytest.approx(expected.item() / 20, rel=0.15)
    assert deviation("border", mine, other, torch.zeros(400, 2), draws=2, seed=0) is None
