"""The search without a running Ray: what may be searched, what trials cost, which are best, what is shown."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.tune.__main__ import TUNING, draw
from roigan.config import Objective, Params, TuneParams, load_params, presets
from roigan.errors import UserError
from roigan.launch import tuning
from roigan.training.loop import train
from roigan.training.worker import Worker
from roigan.tuning.figures import fronts, importances, parallel, slices
from roigan.tuning.live_table import Board
from roigan.tuning.objective import WORST, check, combinations, cost, count, scores, trial_params, unread
from roigan.tuning.trials import ENDED, FAILED, RUNNING, Trial, best, candidates, pareto, preset, table
from tests.conftest import GLCIC, PIXELWISE, ROOT, Small

FID, BORDER = Objective(metric="fid", mask="ellipse"), Objective(metric="border", mask="ellipse")


def trial(number: int, fid: float, border: float = 1.0, step: int = 20, **more: Any) -> Trial:
    found = {"fid_ellipse": fid, "border_ellipse": border}
    values = more.pop("values", {"losses.fm": 0.1 * number, "losses.tv": 1.0})
    return Trial(number, f"id{number}", values, more.pop("state", ENDED), step, found, **more)


def searching(small: Small, **tune: Any) -> Params:
    """The small parameters with a search over one weight."""
    space = {"losses.fm": {"uniform": [0.1, 2.0]}}
    content = {"space": space, "objectives": [FID.model_dump()], "steps": 4, "report_every": 2, **tune}
    return small(tune=content)


def test_the_shipped_search_is_sound() -> None:
    check(load_params(ROOT / "params.yaml"))


@pytest.mark.parametrize(
    ("tune", "complaint"),
    [
        ({"space": {"losses.fn": {"uniform": [0, 1]}}}, "losses.fn"),
        ({"space": {"losses.fm": {"uniform": [-1.0, 1.0]}}}, "losses.fm"),
        ({"space": {"losses.fm": {"uniform": [2.0, 1.0]}}}, "below the second"),
        ({"space": {"losses.fm": {"loguniform": [0.0, 1.0]}}}, "above 0"),
        ({"space": {"losses.fm": {}}}, "one of uniform"),
        ({"space": {"model.depth": {"uniform": [1.0, 3.0]}}}, "model.depth"),
        ({"space": {"data.image_size": {"choice": [16, 32]}}}, "data.image_size cannot be searched"),
        ({"space": {"train.steps": {"choice": [1, 2]}}}, "train.steps cannot be searched"),
        ({"space": {"losses.fm": {"grid": [1.0]}}}, "method: random"),
        ({"space": {}}, "at least one entry"),
        ({"objectives": []}, "at least one entry"),
        ({"objectives": [{"metric": "fid"}]}, "fid needs a mask"),
        ({"objectives": [{"metric": "control", "mask": "ellipse"}]}, "takes no mask"),
        ({"objectives": [{"metric": "ap", "mask": "ellipse"}]}, "ap needs a set"),
        (
            {"objectives": [FID.model_dump() | {"set": "spoilt"}]},
            "fid needs a mask, not both",
        ),
        ({"objectives": [{"metric": "ap", "set": "spoilt"}]}, "set is for systems that score, not roigan"),
        ({"objectives": [{"metric": "fid", "mask": "half"}]}, "not in masks.evaluate"),
        ({"objectives": [{"metric": "mse_known", "mask": "ellipse"}]}, "evaluate.whole"),
        ({"report_every": 5}, "more than tune.steps"),
        ({"scheduler": "pbt"}, "pbt needs"),
        (
            {"scheduler": "pbt", "method": "random", "space": {"model.width": {"choice": [0.1]}}},
            "cannot vary",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused_by_name(small: Small, tune: dict, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint) as caught:
        check(searching(small, **tune))
    assert "\n" not in str(caught.value)


def test_a_system_without_controls_has_none_to_read(small: Small) -> None:
    params = small(
        **GLCIC,
        tune={"space": {"train.lr_g": {"uniform": [1e-4, 1e-2]}}, "objectives": [{"metric": "control"}]},
    )
    with pytest.raises(UserError, match="no controls"):
        check(params)


def test_grids_multiply(small: Small) -> None:
    space = {"losses.fm": {"grid": [1, 2, 3]}, "losses.tv": {"grid": [1, 2]}, "losses.kl": {"choice": [1, 2]}}
    assert count(searching(small, trials=5, method="random", space=space)) == 30


def test_combinations_that_would_be_refused_are_left_out(small: Small) -> None:
    lam = [0.0, 0.1, 1.0]
    space = {"model.condition": {"grid": [False, True]}, "losses.lam": {"grid": lam}}
    tune = {"method": "random", "objectives": [FID.model_dump()]}
    params = small(**PIXELWISE, tune={**tune, "space": space})
    assert [tuple(values.values()) for values in combinations(params)] == [
        (False, 0.0), (True, 0.0), (True, 0.1), (True, 1.0)
    ]  # fmt: skip
    check(params)
    alone = {"model.condition": {"grid": [False]}, "losses.lam": {"grid": lam}}
    with pytest.raises(UserError, match=r"losses\.lam 0\.1 is in no sound combination: .*losses\.lam"):
        check(small(**PIXELWISE, tune={**tune, "space": alone}))


def test_costs_are_small_for_what_is_good() -> None:
    assert cost(FID, 3.0) < cost(FID, 4.0)
    assert cost(Objective(metric="psnr", mask="half"), 30.0) < cost(
        Objective(metric="psnr", mask="half"), 20.0
    )
    assert cost(BORDER, 0.9) == pytest.approx(cost(BORDER, 1.1))
    assert cost(FID, math.nan) == cost(FID, math.inf) == WORST


def test_what_is_unread_is_in_nats_whatever_its_weight(small: Small) -> None:
    terms = {"G/info_c": 1.5, "G/info_k": 3.0}
    assert unread(terms, small(losses__info=0.5)) == 9.0
    assert unread(terms, small(losses__info=0.0)) == math.inf


def test_trials_that_were_stopped_or_failed_are_not_best() -> None:
    trials = [trial(1, 5.0), trial(2, 1.0, step=10), trial(3, 4.0), trial(4, 0.1, state=FAILED)]
    assert [each.number for each in candidates(trials)] == [1, 3]
    first = best(trials, [FID])
    assert first is trials[2]
    assert best([], [FID]) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_the_pareto_set_is_that_of_its_definition(points: list[tuple[int, int]]) -> None:
    trials = [trial(i, fid, 1 + border) for i, (fid, border) in enumerate(points, 1)]
    found = {each.number for each in pareto(trials, [FID, BORDER])}
    for i, (fid, border) in enumerate(points, 1):
        beaten = any(a <= fid and b <= border and (a, b) != (fid, border) for a, b in points)
        assert (i in found) != beaten


def test_a_trial_is_measured_on_validation_images(small: Small, prepared: Path, tmp_path: Path) -> None:
    objectives = [FID.model_dump(), {"metric": "psnr", "mask": "rectangle"}, {"metric": "control"}]
    own = trial_params(searching(small, objectives=objectives), {"losses.fm": 0.5})
    assert (own.losses.fm, own.train.steps, own.train.report_every) == (0.5, 4, 2)
    rows: list[dict] = []
    train(own, Worker("trial", prepared, lambda row, folder: rows.append(row), tmp_path / "run"))
    assert [row["step"] for row in rows] == [2, 4]
    found = scores(tmp_path / "run" / "model", rows[-1], own, prepared)
    assert list(found) == ["fid_ellipse", "psnr_rectangle", "control"]
    assert all(map(math.isfinite, found.values()))


def test_table_and_preset_tell_where_numbers_come_from(tmp_path: Path) -> None:
    trials = [
        trial(1, 5.0),
        trial(2, 4.0, values={"losses.fm": 0.7, "losses.tv": 0.2}),
        trial(3, 1.0, step=10),
    ]
    rows = table(trials, [FID])
    assert rows["pareto"].tolist() == [False, True, False]
    assert rows["losses.fm"].tolist() == pytest.approx([0.1, 0.7, 0.3])
    rows.to_parquet(tmp_path / "trials.parquet")
    assert pd.read_parquet(tmp_path / "trials.parquet")["id"].tolist() == ["id1", "id2", "id3"]
    (tmp_path / "best.yaml").write_text(preset(trials[1], "search-abc", "data1"))
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    presets.apply(tmp_path / "best.yaml", tmp_path / "params.yaml")
    applied = load_params(tmp_path / "params.yaml")
    assert (applied.losses.fm, applied.losses.tv) == (0.7, 0.2)
    assert applied.tune.applied == "search-abc/2"
    assert applied.tune.space == load_params(ROOT / "params.yaml").tune.space


def test_a_preset_goes_as_deep_as_its_names() -> None:
    """`model.past.decay` lies in a block of a block."""
    values = {"model.past.decay": 2.0, "model.past.near": 0.5, "model.width": 0.25}
    content = yaml.safe_load(preset(trial(1, 5.0, values=values), "search-abc", "data1"))
    assert content["model"] == {"past": {"decay": 2.0, "near": 0.5}, "width": 0.25}


def test_a_search_does_not_change_what_a_model_is(small: Small) -> None:
    assert small().fingerprint() == searching(small).fingerprint()
    assert small().fingerprint("tune") != searching(small).fingerprint("tune")


def test_pbt_stays_inside_the_domains(small: Small) -> None:
    space = {
        "train.ema": {"uniform": [0.9, 0.999]},  # beyond 1 params.yaml refuses it
        "losses.fm": {"loguniform": [1.0, 1.1]},
        "train.seed": {"randint": [10, 12]},
        "penalty.region": {"choice": ["inside", "everywhere"]},
    }
    params = searching(small, method="random", scheduler="pbt", space=space)
    scheduler = tuning._scheduler(params)
    values = {"train.ema": 0.95, "losses.fm": 1.05, "train.seed": 11, "penalty.region": "inside"}
    found = [scheduler._get_new_config(None, SimpleNamespace(config=values))[0] for _ in range(40)]
    for each in found:
        trial_params(params, each)
        assert 0.9 <= each["train.ema"] <= 0.999
        assert 1.0 <= each["losses.fm"] <= 1.1
        assert each["train.seed"] in (10, 11)
        assert each["penalty.region"] in ("inside", "everywhere")
    assert {0.9, 0.999} < {each["train.ema"] for each in found}  # some are moved, others drawn anew


def test_what_mattered_is_found(small: Small) -> None:
    space = {"losses.fm": {"uniform": [0.1, 2.0]}, "losses.tv": {"choice": [1.0, 2.0]}}
    tune = TuneParams(space=space, objectives=[FID, BORDER])
    trials = [
        trial(i, 10 * fm, values={"losses.fm": fm, "losses.tv": 1.0 + i % 2})
        for i, fm in enumerate([0.2, 0.5, 0.9, 1.1, 1.4, 1.9], 1)
    ]
    figure = importances(trials, tune)
    assert figure
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    shares = dict(zip(names, [bar.get_width() for bar in figure.axes[0].patches], strict=True))
    assert shares["losses.fm"] > 0.9
    assert importances(trials[:3], tune) is None  # too few to tell
    for drawn in (figure, parallel(trials, tune), slices(trials, tune), fronts(trials, tune)):
        drawn.canvas.draw()


def test_drawing_leaves_no_trace(recwarn: pytest.WarningsRecorder, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither warnings, nor Optuna's lines on standard error, nor its style for later figures."""
    pairs = [[0.0, 0.9], [0.5, 0.999]]
    tune = TuneParams(space={"train.betas": {"choice": pairs}}, objectives=[FID])
    style = dict(plt.rcParams)
    assert importances([trial(i, float(i), values={"train.betas": pairs[i % 2]}) for i in range(1, 7)], tune)
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")
    assert dict(plt.rcParams) == style
    assert not plt.get_fignums()


def test_the_pareto_set_comes_best_first() -> None:
    trials = [
        trial(1, 5.0, 1.0),
        trial(2, 3.0, 1.5),
        trial(3, 4.0, 1.2),
        trial(4, 6.0, 1.3),
        trial(5, 3.0, 1.5),
    ]
    assert [each.number for each in pareto(trials, [FID, BORDER])] == [2, 5, 3, 1]


def test_trials_keep_their_numbers_when_a_search_goes_on() -> None:
    tags = ["10_fm=0.5", "9_fm=1.0@perturbed[fm=1.2]", "11"]
    assert [
        each.experiment_tag for each in tuning._in_order([SimpleNamespace(experiment_tag=t) for t in tags])
    ] == [
        tags[1],
        tags[0],
        tags[2],
    ]


def test_figures_that_cannot_be_drawn_cost_no_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (TUNING / "figures").mkdir(parents=True)
    pairs = [[0.0, 0.9], [0.5, 0.999]]
    tune = TuneParams(space={"train.betas": {"choice": pairs}}, objectives=[FID])
    draw([trial(i, float(i), values={"train.betas": pairs[i % 2]}) for i in range(1, 6)], tune)
    assert "tune: no figure slices (" in capsys.readouterr().out


def test_the_board_says_what_a_person_wants_to_know(capsys: pytest.CaptureFixture[str]) -> None:
    tune = TuneParams(
        trials=3, steps=20, report_every=10, space={"losses.fm": {"uniform": [0.1, 2.0]}}, objectives=[FID]
    )
    one, two = trial(1, 5.0, step=20), trial(2, 4.0, step=10, state=RUNNING)
    failed = trial(3, 9.0, state=FAILED, failure="G/tv became nan")
    with Board(tune, 3) as board:
        board.see([one, two], two)
        board.see([one, two, failed], failed)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("trial 2  step 10/20  fid_ellipse 4 ")
    assert "1 of 3 trials over  best: trial 1, fid_ellipse 5" in said[0]
    assert " left" in said[0]
    assert said[1] == "trial 3 failed: G/tv became nan"
    text = board._table([one, two, failed])
    assert [column.header for column in text.columns] == ["trial", "state", "step", "fid_ellipse", "fm"]


@pytest.mark.parametrize("name", ["pixelwise-mnist", "pixelwise-fashion"])
def test_a_preset_with_a_search_is_sound(name: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    presets.apply(ROOT / "presets" / f"{name}.yaml", tmp_path / "params.yaml")
    check(load_params(tmp_path / "params.yaml"))
