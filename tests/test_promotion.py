"""Alias `champion`: one decision at a time, each kept with its reason, each undone by one command."""

import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from pipelines import evaluate
from roigan.cli import main as cli
from roigan.config import Params
from roigan.errors import UserError
from roigan.files import paths
from roigan.systems.model import save_model
from roigan.systems.roigan.networks import Generator
from roigan.tracking import promotion, registry
from roigan.tracking.store import client, store_uri
from tests.conftest import Small


@pytest.fixture
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Path) -> list[ModelVersion]:
    """Three registered versions of a model without files: decisions look at none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / ".roigan").mkdir()
    shutil.copy(database, tmp_path / ".roigan")
    with client() as opened:
        opened.create_registered_model("roigan")
        return [opened.create_model_version("roigan", tmp_path.as_uri()) for _ in range(3)]


@pytest.fixture
def project(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    small: Small,
    prepared: Path,
    database: Path,
) -> Params:
    """A folder as it is before the stage `evaluate`, whose only gate is the champion."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    (tmp_path / ".roigan").mkdir()
    shutil.copy(database, tmp_path / ".roigan")
    (tmp_path / "reports").mkdir()
    gate = {"metric": "l1", "mask": "ellipse", "below": "champion"}
    params = small(gates=[gate], evaluate__diversity_images=2, evaluate__diversity_samples=2)
    (tmp_path / "params.yaml").write_text(json.dumps(params.model_dump(mode="json", by_alias=True)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return params


def train(params: Params, size: int, brightness: float) -> None:
    """Leave an untrained model whose fillings are as bright as asked for."""
    torch.manual_seed(0)
    model = params.model.model_copy(update={"blend": "none"})
    G = Generator(size, 3, model)
    torch.nn.init.constant_(G.to_image.bias, brightness)
    config = {"image_size": size, "channels": 3, "model": model.model_dump(), "fingerprint": "f00d"}
    save_model(paths.MODEL, {"G": G}, config)
    paths.CONTROL.write_text("control,read\nc0,0.9\n")


def test_the_stage_compares_with_the_champion(project: Params, capsys: pytest.CaptureFixture[str]) -> None:
    for number, (size, brightness, verdict) in enumerate(
        [
            (32, 2.0, "is champion: no gate applies"),  # none that applies: there is no champion yet
            (32, 0.0, "is champion: 1 of 1 gates hold"),
            (32, 0.01, "is not promoted: l1 under ellipse below champion fails"),  # no clear difference
        ],
        start=1,
    ):
        train(project, size, brightness)
        evaluate.main()
        assert f"evaluate: roigan/{number} {verdict}" in capsys.readouterr().out
    assert [decision for _, decision, _ in decisions()] == ["promoted", "promoted", "refused"]
    assert reigning() == "2"
    assert "champion" in paths.EVALUATION.read_text()
    train(project, 32, 2.0)
    evaluate.main()  # looks at the first model again, which does not make it the candidate
    assert str(registry.find_version("roigan@candidate").version) == "3"


def test_a_champion_of_other_images_is_no_rival(capsys: pytest.CaptureFixture[str]) -> None:
    mine, same, larger, elsewhere = (
        SimpleNamespace(
            image_size=size, channels=3, config={"data": data}, complete=None, verbs=("complete",)
        )
        for size, data in [(32, "a"), (32, "a"), (64, "a"), (32, "b")]
    )
    assert evaluate.comparable(mine, same)
    assert not evaluate.comparable(mine, larger)
    assert capsys.readouterr().out == ""
    assert evaluate.comparable(mine, elsewhere)
    assert "learnt from other data" in capsys.readouterr().out


def reigning() -> str:
    return str(promotion.champion("roigan").version)


def decisions() -> list[tuple[str, str, str]]:
    return list(
        promotion.history("roigan")[["version", "decision", "reason"]].itertuples(index=False, name=None)
    )


def test_every_decision_is_kept_with_its_reason(versions: list[ModelVersion]) -> None:
    one, two, _ = versions
    assert promotion.champion("roigan") is None
    promotion.refuse(one, "fid is 12,\n11 was asked for")
    promotion.promote(one, "all gates hold", over=None)
    promotion.promote(two, "x" * 9000, over=one)
    assert reigning() == "2"
    first, second, (*_, reason) = decisions()
    assert first == ("1", "refused", "fid is 12, 11 was asked for")
    assert second == ("1", "promoted", "all gates hold")
    assert len(reason) > 3000
    promotion.promote(two, "again", over=two)  # is champion already: nothing to decide
    assert len(decisions()) == 3


def test_who_was_judged_against_a_former_champion_is_refused(versions: list[ModelVersion]) -> None:
    one, two, three = versions
    promotion.promote(one, "first", over=None)
    promotion.promote(two, "better", over=one)
    with pytest.raises(UserError, match="roigan/3 is not promoted: champion is version 2 by now"):
        promotion.promote(three, "better", over=one)
    assert reigning() == "2"
    assert decisions()[-1][:2] == ("3", "refused")


def test_of_two_promotions_at_once_one_wins(versions: list[ModelVersion]) -> None:
    one, *rivals = versions
    promotion.promote(one, "first", over=None)

    def promote(version: ModelVersion) -> bool:
        try:
            promotion.promote(version, "better", over=one)
        except UserError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        won = list(pool.map(promote, rivals))
    assert sorted(won) == [False, True]
    assert reigning() == str(rivals[won.index(True)].version)
    assert sorted(decision for _, decision, _ in decisions()) == ["promoted", "promoted", "refused"]


def test_rollback_goes_back_champion_by_champion(versions: list[ModelVersion]) -> None:
    one, two, three = versions
    with pytest.raises(UserError, match="no alias 'champion'"):
        promotion.rollback("roigan", "why not")
    for version, before in [(one, None), (two, one), (one, two), (three, one)]:
        promotion.promote(version, "better", over=before)
    for expected in ("1", "2", "1"):
        assert str(promotion.rollback("roigan", "it was not").version) == reigning() == expected
    with pytest.raises(UserError, match="no champion before version 1"):
        promotion.rollback("roigan", "once more")
    assert [row for row in decisions() if row[1] == "rolled back"] == [
        ("3", "rolled back", "it was not"),
        ("1", "rolled back", "it was not"),
        ("2", "rolled back", "it was not"),
    ]


def test_an_alias_that_was_moved_by_hand_is_rolled_back_too(versions: list[ModelVersion]) -> None:
    one, two, three = versions
    promotion.promote(one, "first", over=None)
    promotion.promote(two, "better", over=one)
    MlflowClient(store_uri()).set_registered_model_alias("roigan", "champion", three.version)
    assert str(promotion.rollback("roigan", "who was that?").version) == "2"


def test_the_commands(
    versions: list[ModelVersion], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["roigan", "models", *arguments])
        cli.main()
        return capsys.readouterr().out

    assert run("history", "roigan") == "nothing has been decided about roigan\n"
    run("promote", "roigan", "1")
    run("promote", "roigan", "2", "--reason", "sharper")
    assert run("rollback", "roigan") == "roigan/1 is champion again\n"
    assert [line.split("  ", 1)[1] for line in run("history", "roigan").splitlines()] == [
        "roigan/1  promoted: by hand",
        "roigan/2  promoted: sharper",
        "roigan/2  rolled back: by hand",
    ]
