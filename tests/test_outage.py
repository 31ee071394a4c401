"""MLflow is away: at the start, in the middle, for good; nothing is lost, nothing is there twice."""

from __future__ import annotations

import errno
import json
import math
import os
import pickle
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import mlflow.store.db.utils
import pandas as pd
import pytest
from filelock import FileLock
from mlflow import MlflowClient

from benchmarks.workspace import write
from pipelines import control, evaluate, register, report, train, training
from roigan.cli import main as cli
from roigan.config import Params, load_params
from roigan.errors import UserError, exit_on_user_error
from roigan.files import paths
from roigan.files.tensors import sha256_of
from roigan.systems.model import Model
from roigan.tracking import registry, runs, store
from roigan.tracking.outbox import Outbox, open_outbox
from roigan.tracking.store import store_uri
from tests.conftest import Small

EVERY_EPOCH = [3, 6, 9, 12, 15, 18, 21, 24]


@pytest.fixture
def project(
    prepared: Path,
    small: Small,
    database: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Params:
    """The current folder is a prepared project with a local store, whose training has eight short epochs."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    (tmp_path / ".roigan").mkdir()
    shutil.copy(database, tmp_path / ".roigan")
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    params = small(train__steps=24, register__experiment=tmp_path.name)  # tests share a server
    write(Path(), params)
    return load_params()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`mlflow server` on loopback, with its database and the artefacts that it passes on in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.uri = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        found = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # MLflow starts uvicorn by its name
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
                env=os.environ | quiet | {"PATH": found},
            )  # fmt: skip
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=5)
                return
            except OSError:
                assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
                time.sleep(0.2)
        raise AssertionError("the server did not start in two minutes")

    def signal(self, number: int) -> None:
        os.killpg(self.process.pid, number)  # the workers too

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def running(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    shutil.copy(database, server.folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def server(running: Server, project: Params, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server that runs, and that the project uses."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", running.uri)
    return running


def before(monkeypatch: pytest.MonkeyPatch, events: dict[int, Callable[[], object]]) -> None:
    """Have things happen before the metrics of an epoch are reported."""
    log_epoch = training.log_epoch

    def log(run_id: str, outbox: Outbox, row: dict) -> str | None:
        events.get(row["epoch"], lambda: None)()
        return log_epoch(run_id, outbox, row)

    monkeypatch.setattr(training, "log_epoch", log)


def run_of(params: Params) -> str:
    """The id of the training's run."""
    run_id = runs.find_run(params, Model.load(paths.MODEL).config["fingerprint"])
    assert run_id
    return run_id


def assert_complete(run_id: str) -> None:
    """The run is closed and has each value of the history once, and nothing waits."""
    client, history = MlflowClient(store_uri()), pd.read_csv(paths.HISTORY).set_index("step")
    assert history.index.tolist() == EVERY_EPOCH
    for name in history.columns:
        points = {(point.step, point.value) for point in client.get_metric_history(run_id, name)}
        assert points == set(history[name].dropna().items()), name
        assert len(client.get_metric_history(run_id, name)) == len(points), name
    assert client.get_run(run_id).info.status == "FINISHED"
    assert not list(Path(".roigan/outbox").glob("*"))


def steps(run_id: str) -> list[int]:
    points = MlflowClient(store_uri()).get_metric_history(run_id, "G/adv")
    return sorted(point.step for point in points)


# --- At the start ---


def test_without_a_server_everything_ends_at_once_with_one_line(
    project: Params, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths.MODEL.mkdir(parents=True)
    (paths.MODEL / "generator.safetensors").write_text("{}")
    digest = sha256_of(paths.MODEL / "generator.safetensors")
    (paths.MODEL / "config.json").write_text(json.dumps({"weights_sha256": digest}))
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    stages = [
        partial(exit_on_user_error, stage.main) for stage in (train, register, evaluate, control, report)
    ]
    monkeypatch.setattr(sys, "argv", ["roigan", "models"])
    for main in [*stages, cli.main]:
        began = time.monotonic()
        with pytest.raises(SystemExit) as ended:
            main()
        assert time.monotonic() - began < 5
        assert ended.value.code == 2
        (said,) = capsys.readouterr().err.splitlines()
        assert said.startswith(f"error: MLflow at {address} does not answer (")
        assert said.endswith("Connection refused); start it, or correct MLFLOW_TRACKING_URI")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "nothing heard in 0.2 s"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "502 Bad Gateway"),
    ],
)
def test_a_server_that_hangs_or_is_down_behind_its_proxy(
    project: Params, monkeypatch: pytest.MonkeyPatch, answer: bytes, reason: str
) -> None:
    monkeypatch.setattr(store, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(answer)
                time.sleep(0.5)

        thread = threading.Thread(target=serve)
        thread.start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{listening.getsockname()[1]}")
        with pytest.raises(UserError, match=reason):
            registry.model_table()
        thread.join()


# --- In the middle ---


@pytest.mark.slow
def test_a_server_that_dies_and_returns(
    project: Params, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before(monkeypatch, {3: server.kill, 7: server.start})
    train.main()
    assert_complete(run_of(project))
    said = capsys.readouterr().out
    assert said.count("does not answer") == said.count("metrics wait in") == 1
    assert "MLflow is back" in said
    files = MlflowClient(server.uri).list_artifacts(run_of(project))
    assert {file.path for file in files} == {"history.csv", "samples"}


@pytest.mark.slow
def test_a_server_that_hangs_from_the_middle_on_is_told_by_the_next_stage(
    project: Params, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(store, "PATIENCE", 1)
    before(monkeypatch, {3: lambda: server.signal(signal.SIGSTOP)})
    try:
        train.main()
    finally:
        server.signal(signal.SIGCONT)
    said = capsys.readouterr().out
    assert said.count("metrics wait in") == 1
    assert said.count("the next stage, or the next `uv run dvc repro`, delivers what is missing") == 1
    assert pd.read_csv(paths.HISTORY)["step"].tolist() == EVERY_EPOCH
    assert list(paths.SAMPLES.glob("*.png"))
    assert len(list(Path(".roigan/outbox").rglob("*.json"))) == 6 + 1  # epochs, and the end of the run

    register.main()
    assert_complete(run_of(project))
    version = registry.find_version("roigan@candidate")
    assert version.run_id == run_of(project)
    weights = Model.load(registry.download(version)).sha256  # through the server and back
    assert weights == Model.load(paths.MODEL).sha256 == version.tags["sha256"]


@pytest.mark.slow
def test_a_database_that_is_locked_for_long(
    project: Params, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = mlflow.store.db.utils.sql.text  # what MLflow sends to the database; it would wait 20 s for a lock
    monkeypatch.setattr(mlflow.store.db.utils.sql, "text", lambda sql: text(sql.replace("20000", "500")))
    other = sqlite3.connect(".roigan/mlflow.db", isolation_level=None)
    lock, unlock = (partial(other.execute, command) for command in ("BEGIN IMMEDIATE", "ROLLBACK"))
    before(monkeypatch, {3: lock, 8: unlock})
    train.main()
    assert_complete(run_of(project))
    said = capsys.readouterr()
    assert said.out.count("database is locked; going on, metrics wait in") == 1
    assert not said.err


def test_a_database_that_is_locked_for_seconds(project: Params) -> None:
    run_id, outbox = runs.start_run(project, "f00d"), open_outbox()
    other = sqlite3.connect(".roigan/mlflow.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(2, other.execute, ["ROLLBACK"])
    release.start()
    assert outbox.point(run_id, 3, {"G/adv": 0.5}) is None
    release.join()
    assert steps(run_id) == [3]


def test_one_process_at_a_time_makes_the_tables(project: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    made = threading.Event()
    monkeypatch.setattr(store, "MlflowClient", lambda uri: made.set() or MlflowClient(uri))
    thread = threading.Thread(target=store._create_database, args=(paths.state() / "mlflow.db",))
    with FileLock(paths.state() / "mlflow.lock"):
        thread.start()
        assert not made.wait(0.5)
    thread.join(timeout=60)
    assert made.is_set()


@pytest.mark.slow
def test_a_training_that_begins_anew_has_a_run_of_its_own(
    project: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        before(patch, {3: stop})
        with pytest.raises(KeyboardInterrupt):
            train.main()
    train.main()
    first, known = run_of(project), [step for step in EVERY_EPOCH if step != 9]  # which `register` adds
    assert steps(first) == known
    train.main()  # nothing has registered the model: what is there is handed over again
    assert run_of(project) == first
    assert steps(first) == known
    monkeypatch.setenv("ROIGAN_FRESH", "1")
    train.main()
    assert run_of(project) != first
    assert steps(first) == known
    assert_complete(run_of(project))
    assert len(MlflowClient(store_uri()).search_runs(["1"])) == 2


# --- The outbox by itself: a local store, and a line to it that may be cut ---


class Line:
    """A line to the store, which tells after so many seconds that it is cut."""

    def __init__(self) -> None:
        self.cut, self.seconds, self.attempts = False, 0.0, 0

    def __call__(self, uri: str) -> None:
        self.attempts += 1
        if self.cut:
            time.sleep(self.seconds)
            raise UserError("away")


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    made = Line()
    monkeypatch.setattr(store, "_reach", made)
    return made


def test_what_is_sent_twice_is_there_once(project: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that dies after a delivery, before it has deleted the records, leaves them for another."""
    run_id = runs.start_run(project, "f00d")
    outbox = pickle.loads(pickle.dumps(open_outbox()))  # as for Ray's controller
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda path, missing_ok: None)
        assert outbox.point(run_id, 3, {"G/adv": 0.5, "D/adv": math.nan}) is None
    assert len(list(outbox.folder.rglob("*.json"))) == 1
    assert outbox.point(run_id, 6, {"G/adv": 0.5, "D/adv": math.inf}) is None
    assert steps(run_id) == [3, 6]
    assert not list(outbox.folder.glob("*"))


def test_an_epoch_that_is_repeated_while_it_waits_is_there_once(project: Params, line: Line) -> None:
    run_id = runs.start_run(project, "f00d")
    line.cut = True
    for _ in range(2):  # the second time after a resumption
        assert "away; going on, metrics wait in" in (open_outbox().point(run_id, 3, {"G/adv": 0.5}) or "")
    line.cut = False
    open_outbox().deliver()
    assert steps(run_id) == [3]


def test_two_processes_deliver_at_once(project: Params, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one has read of the folder, another has delivered and removed."""
    run_id, outbox, other = runs.start_run(project, "f00d"), open_outbox(), open_outbox()
    line.cut = True
    for step in (3, 6):
        outbox.point(run_id, step, {"G/adv": 0.5})
    line.cut, outbox.rest = False, 0.0
    glob, mkdir = Path.glob, Path.mkdir
    interruptions = [other.deliver]  # once

    def found(path: Path, pattern: str) -> list[Path]:
        files = list(glob(path, pattern))
        if interruptions and pattern == "*.json":
            interruptions.pop()()
        return files

    monkeypatch.setattr(Path, "glob", found)
    outbox.deliver()
    assert not interruptions
    assert steps(run_id) == [3, 6]

    def made(path: Path, **how: bool) -> None:
        mkdir(path, **how)
        if interruptions and path.name == run_id:
            interruptions.pop()(path)

    monkeypatch.setattr(Path, "mkdir", made)
    interruptions.append(Path.rmdir)
    outbox.point(run_id, 9, {"G/adv": 0.5})
    assert not interruptions
    assert steps(run_id) == [3, 6, 9]


def test_a_store_that_is_away_costs_a_twentieth_of_the_time(project: Params, line: Line) -> None:
    run_id, outbox = runs.start_run(project, "f00d"), open_outbox()
    line.cut, line.seconds, line.attempts = True, 0.1, 0
    said, began = [], time.monotonic()
    while time.monotonic() - began < 3:
        said.append(outbox.point(run_id, len(said), {"G/adv": 0.5}))
        time.sleep(0.02)
    assert line.attempts <= 2  # a tenth of a second, then again after two seconds
    assert [bool(text) for text in said] == [True] + [False] * (len(said) - 1)
    line.cut, outbox.rest = False, 0.0
    assert "back" in (outbox.point(run_id, len(said), {"G/adv": 0.5}) or "")
    assert steps(run_id) == list(range(len(said) + 1))


def test_a_deleted_run_is_said_and_disturbs_nobody(
    project: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id, other = (runs.start_run(project, name) for name in ("f00d", "beef"))
    client, outbox = MlflowClient(store_uri()), open_outbox()
    client.delete_run(run_id)
    assert "deleted" in (outbox.point(run_id, 3, {"G/adv": 0.5}) or "")
    assert open_outbox().point(other, 3, {"G/adv": 0.5}) is None
    outbox.deliver()
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"{outbox.folder / run_id} stays undelivered: ")
    client.restore_run(run_id)
    outbox.deliver()
    assert steps(run_id) == steps(other) == [3]


def test_a_failure_is_told_as_itself_and_to_the_store_later(
    project: Params, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object) -> Path:
        line.cut = True
        raise UserError("training stopped: G/adv became nan")

    monkeypatch.setattr(training, "launch", stop)
    with pytest.raises(UserError, match="G/adv became nan"):
        train.main()
    line.cut = False
    open_outbox().deliver()
    (run,) = MlflowClient(store_uri()).search_runs(["1"])
    assert run.info.status == "FAILED"


def test_want_of_room_costs_a_point_and_not_the_training(
    project: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, outbox = runs.start_run(project, "f00d"), open_outbox()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert "step 3 are lost to MLflow" in (outbox.point(run_id, 3, {"G/adv": 0.5}) or "")
    assert outbox.point(run_id, 6, {"G/adv": 0.5}) is None
    assert steps(run_id) == [6]
