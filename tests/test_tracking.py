"""Runs and the registry, on a real MLflow store in a folder of its own."""

import json
import shutil
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from PIL import Image

from roigan.config import load_params
from roigan.errors import UserError
from roigan.files import paths
from roigan.inference.inpaint import complete_picture
from roigan.systems.model import Model, save_model
from roigan.systems.roigan.networks import Generator
from roigan.tracking import promotion, registry, runs
from roigan.tracking.outbox import open_outbox
from roigan.tracking.store import store_uri
from roigan.tracking.trials import Trials
from roigan.tuning.trials import ENDED, RUNNING, Trial

PARAMS = load_params(Path(__file__).parents[1] / "params.yaml")
SIZE = 16


def train(seed: int = 0, fingerprint: str = "f00d") -> None:
    """Leave in the current folder what the stages up to `train` leave: the real thing, but untrained."""
    torch.manual_seed(seed)
    model = PARAMS.model.model_copy(update={"width": 0.1})
    config = {"image_size": SIZE, "channels": 3, "model": model.model_dump(), "fingerprint": fingerprint}
    save_model(paths.MODEL, {"G": Generator(SIZE, 3, model)}, config)
    paths.PREPARED.mkdir(parents=True, exist_ok=True)
    paths.MASKS.mkdir(parents=True, exist_ok=True)
    (paths.PREPARED / "statistics.json").write_text(json.dumps({"data": "0123456789abcdef"}))
    np.savez(paths.MASKS / "ellipse.npz", bits=np.zeros((1, 32), np.uint8))
    paths.REPORTS.mkdir(exist_ok=True)
    paths.HISTORY.write_text("step,G/adv,note\n10,0.5,a\n20,0.25,b\n")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    train()
    (tmp_path / ".roigan").mkdir()
    shutil.copy(database, tmp_path / ".roigan")
    return tmp_path


@pytest.fixture
def client(workspace: Path) -> MlflowClient:
    return MlflowClient(store_uri())


def test_a_run_is_found_again_and_goes_on(client: MlflowClient) -> None:
    run_id = runs.start_run(PARAMS, "f00d", {"data": "abc"})
    runs.log_metrics(run_id, 10, {"G/adv": 0.5, "D/gp": 1.5})
    open_outbox().end(run_id, "FAILED")
    assert runs.start_run(PARAMS, "f00d") == run_id
    runs.log_metrics(run_id, 20, {"G/adv": 0.25})
    open_outbox().end(run_id)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["data"] == "abc"
    assert run.data.params["train.lr_g"] == str(PARAMS.train.lr_g)
    points = client.get_metric_history(run_id, "G/adv")
    assert [(p.step, p.value) for p in points] == [(10, 0.5), (20, 0.25)]
    assert runs.start_run(PARAMS, "beef") != run_id  # other parameters, data or code: another run


def test_a_trial_ends_when_it_ends(client: MlflowClient) -> None:
    """And not when the search does, which tells of every trial once more."""
    parent, steps = runs.start_run(PARAMS, "search-1"), PARAMS.tune.steps

    def record() -> Trials:
        return Trials(PARAMS, "search-1", parent, {}, open_outbox())

    first, resumed = record(), record()
    ends = set[int]()
    ended = Trial(1, "a", {}, ENDED, steps, {PARAMS.tune.objectives[0].name: 3.0})
    for listening in (first, first, resumed):
        time.sleep(0.05)
        assert listening.see(ended) is None
        run = client.get_run(runs.find_run(PARAMS, "search-1/a"))
        assert run.info.status == "FINISHED"
        ends.add(run.info.end_time)
    assert len(ends) == 1
    again = Trial(1, "a", {}, RUNNING, steps // 2)  # what a killed search has forgotten is run again
    assert record().see(again) is None
    assert client.get_run(run.info.run_id).info.status == "RUNNING"


def test_a_run_bears_the_name_of_its_dvc_experiment(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "bold-fish")
    assert client.get_run(runs.start_run(PARAMS, "f00d")).info.run_name == "bold-fish"


@pytest.mark.parametrize("uri", [None, "", "sqlite:///.roigan/mlflow.db", "sqlite:///other.db"])
def test_the_store_outlives_the_workspace_of_a_queued_experiment(
    uri: str | None, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if uri is not None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    before = store_uri()
    assert before == f"sqlite:///{workspace}/{'other.db' if uri and 'other' in uri else '.roigan/mlflow.db'}"
    temporary = workspace / ".dvc" / "tmp" / "exps" / "tmp1"
    temporary.mkdir(parents=True)
    monkeypatch.chdir(temporary)
    assert store_uri() == before


def test_weights_are_registered_once(client: MlflowClient) -> None:
    first = registry.register(PARAMS)
    again = registry.register(PARAMS)
    assert str(again.version) == str(first.version) == "1"
    train(seed=1)
    second = registry.register(PARAMS)
    assert str(second.version) == "2"
    assert str(registry.find_version("roigan@candidate").version) == "2"
    train(seed=0)  # back to the first weights: no third version, but the candidate moves
    assert str(registry.register(PARAMS).version) == "1"
    assert str(registry.find_version("models:/roigan@candidate").version) == "1"
    # both versions stem from one run, yet each keeps its own weights
    sums = {Model.load(registry.load_registered("roigan", number)).sha256 for number in (1, 2)}
    assert sums == {first.tags["sha256"], second.tags["sha256"]}


def test_whoever_only_looks_leaves_the_candidate_where_it_is(client: MlflowClient) -> None:
    first = registry.registered(PARAMS)
    assert str(registry.find_version("roigan@candidate").version) == str(first.version) == "1"
    train(seed=1)
    registry.register(PARAMS)
    train(seed=0)  # the report of the first experiment after the registration of the second one
    assert str(registry.registered(PARAMS).version) == "1"
    assert str(registry.find_version("roigan@candidate").version) == "2"


def test_a_version_says_what_it_was_made_from(client: MlflowClient) -> None:
    version = registry.register(PARAMS)
    assert version.tags["data"] == "0123456789abcdef"
    assert version.tags["params"] == PARAMS.fingerprint()
    assert len(version.tags["masks"]) == 16
    for word in ("0123456789abcdef", version.tags["sha256"], "mlxtend", f"lr_g: {PARAMS.train.lr_g}"):
        assert word in version.description
    run = client.get_run(version.run_id)
    assert run.data.tags["fingerprint"] == "f00d"
    assert run.info.status == "FINISHED"


def test_hashes_follow_the_masks_and_dvcs_lock(client: MlflowClient) -> None:
    first = registry.register(PARAMS)
    train(seed=1)
    np.savez(paths.MASKS / "ellipse.npz", bits=np.ones((1, 32), np.uint8))
    Path("dvc.lock").write_text(
        "stages: {prepare: {outs: [{path: data/prepared, md5: abc.dir}]}, train: {outs: [{path: x, md5: d}]}}"
    )
    second = registry.register(PARAMS)
    assert first.tags["masks"] != second.tags["masks"]
    assert second.tags["dvc.data/prepared"] == "abc.dir"


def test_a_clone_without_runs_makes_them_anew(client: MlflowClient) -> None:
    """`dvc repro --pull` brings the artefacts, not the database."""
    version = registry.register(PARAMS)
    points = client.get_metric_history(version.run_id, "G/adv")
    assert [(p.step, p.value) for p in points] == [(10, 0.5), (20, 0.25)]


def test_a_run_is_given_what_it_lacks_of_its_curves_and_nothing_twice(client: MlflowClient) -> None:
    """A training that is killed between a checkpoint and its report never reports that epoch."""
    run_id = runs.start_run(PARAMS, "f00d")
    runs.log_metrics(run_id, 10, {"G/adv": 0.5})
    assert registry.register(PARAMS).run_id == run_id
    points = client.get_metric_history(run_id, "G/adv")
    assert [(p.step, p.value) for p in points] == [(10, 0.5), (20, 0.25)]


def test_a_training_ends_when_it_ends_not_when_its_model_is_registered(client: MlflowClient) -> None:
    run_id = runs.start_run(PARAMS, "f00d")
    open_outbox().end(run_id)
    ended = client.get_run(run_id).info.end_time
    time.sleep(0.01)
    assert registry.register(PARAMS).run_id == run_id
    run = client.get_run(run_id)
    assert (run.info.status, run.info.end_time) == ("FINISHED", ended)


def test_the_registered_model_is_served_without_pickle_and_bit_identically(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    version = registry.register(PARAMS)
    packed = Path(registry.load_registered("roigan")).parents[1]
    assert not [path for path in packed.rglob("*") if path.suffix in (".pkl", ".pt", ".pth", ".bin")]
    served = mlflow.pyfunc.load_model(str(packed))
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (2, 24, 20, 3), dtype=np.uint8)
    mask = np.zeros((2, 24, 20, 1), np.uint8)
    mask[:, 3:12, 5:15] = 255
    given = {"seed": 7, "c": [0.5, -1.0], "k": [3]}
    completed = served.predict({"image": image, "mask": mask}, params=given)
    np.testing.assert_array_equal(completed, served.predict({"image": image, "mask": mask}, params=given))
    np.testing.assert_array_equal(completed[mask[..., 0] == 0], image[mask[..., 0] == 0])
    model = Model.load(paths.MODEL)
    assert model.sha256 == version.tags["sha256"]
    alone = complete_picture(
        model, Image.fromarray(image[0]), mask[0, ..., 0] > 0, seed=7, c=[0.5, -1], k=[3]
    )
    np.testing.assert_allclose(completed[0], np.asarray(alone), atol=1)  # a batch of two rounds differently
    other = served.predict({"image": image, "mask": mask}, params=given | {"seed": 8})
    assert (other != completed).any()
    default = served.predict({"image": image[:1], "mask": mask[:1]})
    drawn = complete_picture(model, Image.fromarray(image[0]), mask[0, ..., 0] > 0, seed=0)
    np.testing.assert_array_equal(default[0], np.asarray(drawn))
    with pytest.raises(MlflowException, match="slider 0 is 2"):
        served.predict({"image": image, "mask": mask}, params={"c": [2.0]})


def test_evaluations_are_tabled_compared_and_promoted(client: MlflowClient) -> None:
    table = pd.DataFrame(
        {
            "method": ["roigan", "roigan", "fmm"],
            "mask": ["ellipse", "mixture", "ellipse"],
            "n": [9, 9, 9],
            "fid": [10.0, 20.0, 99.0],
            "diversity": [0.5, np.nan, 0.0],
        }
    )
    Path("evaluation.csv").write_text("x")
    first = registry.register(PARAMS)
    registry.log_evaluation(
        first, table, "roigan", [Path("evaluation.csv"), Path("missing.png")], "local 1a2b"
    )
    train(seed=1, fingerprint="beef")
    second = registry.register(PARAMS)
    registry.log_evaluation(second, table.assign(fid=[4.0, 6.0, 99.0]), "roigan", [], "local 1a2b")
    promotion.promote(first, "by hand", over=None)

    listed = registry.model_table()
    assert listed["version"].tolist() == [1, 2]
    assert listed["aliases"].tolist() == ["champion", "candidate"]
    assert listed["fid"].tolist() == [15.0, 5.0]
    assert listed["features"].tolist() == ["local 1a2b"] * 2
    assert listed["data"].tolist() == ["0123456789abcdef"] * 2

    compared = registry.compare("roigan@champion", "roigan/2")
    assert compared.loc[("fid", "mixture")].tolist() == [20.0, 6.0, -14.0]
    assert ("diversity", "mixture") not in compared.index
    run = client.get_run(first.run_id)
    assert run.data.metrics["evaluation/fmm/fid/ellipse"] == 99.0
    assert [file.path for file in client.list_artifacts(first.run_id, "evaluation")] == [
        "evaluation/evaluation.csv"
    ]


def test_what_is_not_there_is_named(workspace: Path) -> None:
    registry.register(PARAMS)
    for reference, complaint in [
        ("models:/nobody/1", "no model 'nobody' in the registry; there is: roigan"),
        ("roigan/9", "roigan has no version 9"),
        ("roigan@champion", "roigan has no alias 'champion'; it has: candidate"),
        ("roigan/" + "0" * 64, "roigan has no version 0000"),
        ("roigan", "names no version"),
        ("models:/roigan/latest", "names no version"),
        ("models:/it's/1", "names no version"),
    ]:
        with pytest.raises(UserError, match=complaint):
            registry.find_version(reference)


def test_looking_into_an_empty_registry_creates_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "params.yaml").touch()
    for look in (registry.model_table, lambda: registry.find_version("roigan/1")):
        with pytest.raises(UserError, match="no model is registered yet"):
            look()
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


@pytest.mark.parametrize("uri", ["", "sqlite:///.roigan/mlflow.db"])
def test_the_projects_own_store_is_that_by_any_name(
    uri: str | None, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    (workspace / ".roigan/mlflow.db").unlink()
    (workspace / "params.yaml").touch()
    with pytest.raises(UserError, match="no model is registered yet"):
        registry.model_table()
    assert not (workspace / ".roigan/mlflow.db").exists()
    run_id = runs.start_run(PARAMS, "f00d")
    run = MlflowClient(store_uri()).get_run(run_id)
    assert run.info.artifact_uri.startswith(".roigan/mlartifacts/")  # relative to the project


def test_lost_artefacts_and_missing_models_are_said_in_one_line(workspace: Path) -> None:
    version = registry.register(PARAMS)
    folder = registry.download(version)
    folder.rename(workspace / "elsewhere")
    with pytest.raises(UserError, match="roigan/1 is registered, but its files are gone"):
        registry.download(version)
    paths.MODEL.rename("away")
    with pytest.raises(UserError, match="run the stage `train` first"):
        registry.register(PARAMS)


def test_a_store_that_does_not_answer_is_named(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{paths.HISTORY}")  # a CSV is no database
    with pytest.raises(UserError, match=f"MLflow at sqlite:///{workspace}/reports") as caught:
        runs.start_run(PARAMS, "f00d")
    assert "\n" not in str(caught.value)
