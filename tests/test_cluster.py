"""Several Ray nodes on this machine, checkpoints in a bucket: a node is killed, then the head and driver."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import psutil
import pytest
import ray
from PIL import Image
from safetensors.torch import load_file

from benchmarks.workspace import write
from pipelines import register
from roigan.errors import UserError
from roigan.launch import cluster, training
from tests.bucket import Bucket
from tests.conftest import ROOT, Small
from tests.served import save_small_model
from tests.stage import EVERY_EPOCH, finish, points, start, steps_in, wait_for, workers_of

CORES = max(2, cluster.cores()) // 2  # of a worker in `undisturbed`: as many threads, the same sums


# --- The shares of the workers ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("machines", "workers", "gpu", "cores"),
    [
        ([{"CPU": 2}], 2, False, 1),
        ([{"CPU": 16}], 2, False, 8),
        ([{"CPU": 4}, {"CPU": 8}], 2, False, 4),  # and not 12 / 2, which no first machine has
        ([{"CPU": 2}] * 3, 2, False, 2),
        ([{"CPU": 4}, {"CPU": 8, "GPU": 1}, {"CPU": 8, "GPU": 1}], 2, True, 8),  # deploy/ray-cluster.yaml
        ([{"CPU": 96, "GPU": 8}], 8, True, 12),
        ([{"CPU": 4}], 8, False, 1),  # too few: Ray waits for more
        ([{}, {"CPU": 3}], 1, False, 3),
    ],
)
def test_workers_get_the_most_cores_with_which_all_find_a_machine(
    machines: list[dict[str, int]],
    workers: int,
    gpu: bool,
    cores: int,
    small: Small,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster, "_machines", lambda: machines)
    params = small(train__num_workers=workers, train__use_gpu=gpu)
    assert cluster.share(params) == {"CPU": cores} | ({"GPU": 1} if gpu else {})


@pytest.mark.parametrize(
    ("quota", "allowed", "wanted", "cores"),
    [(2, 64, 1, 2), (64, 2, 1, 2), (2, 64, 2.5, 3), (0.5, 64, 1, 1)],
)
def test_a_local_ray_has_the_cores_that_this_process_may_use(
    quota: float,
    allowed: int,
    wanted: float,
    cores: int,
    small: Small,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(allowed)))
    monkeypatch.setattr(ray._private.utils, "_get_docker_cpus", lambda: quota)
    started = Mock()
    monkeypatch.setattr(ray, "init", started)
    cluster.start_ray(wanted, small())
    assert started.call_args.kwargs["num_cpus"] == cores


def test_a_cluster_that_is_not_there_is_one_line_at_once(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong in ("ray://localhost:10001", "foo"):
        monkeypatch.setenv("RAY_ADDRESS", wrong)
        with pytest.raises(UserError, match=r"^RAY_ADDRESS: .*(foo|ray://localhost:10001)"):
            cluster.start_ray(1, small())
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port()}")
    with pytest.raises(UserError, match=r"^RAY_ADDRESS: no Ray at 127\.0\.0\.1:\d+ \(Connection refused\)$"):
        cluster.start_ray(1, small(train__use_gpu=True))  # the GPU may be elsewhere


def test_missing_machines_are_said_once_for_every_change(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rooms = iter([4, 2, 2, 4, 3, 5])
    stop = Mock(wait=Mock(side_effect=[False] * 6 + [True]))
    monkeypatch.setattr(training, "room", lambda need: next(rooms))
    training._watch({"CPU": 1}, 4, stop)
    said = capsys.readouterr().out.splitlines()
    assert said == [f"waiting for machines: the cluster has room for {n} of 4 workers" for n in (2, 3)]


def test_every_epoch_is_reported_once_however_often_it_was_computed(tmp_path: Path) -> None:
    """Training runs ahead of its controller: what was written may be what it has never heard of."""
    heard: list[int] = []
    said: list[str] = []

    def on_report(row: dict) -> str:
        heard.append(row["step"])
        return f"step {row['step']}"

    for reports in ([3, 6], [6, 9], [15, 18]):  # of a first driver and two that came after it
        callback = training._controller_callback(on_report, tmp_path / "reported", said.append)
        begin = {"step": reports[0], "history": [{"step": n} for n in range(3, reports[0] + 1, 3)]}
        for row in (begin, {"step": reports[1]}):
            callback.after_report(None, [row, {}], None)
    assert heard == [3, 6, 9, 12, 15, 18]
    assert said == [f"step {step}" for step in heard]


def test_what_one_rank_complains_of_ends_the_run_and_other_losses_do_not(tmp_path: Path) -> None:
    """A share that one machine has not mounted, say: the other ranks would wait for that rank for ever."""
    said: list[str] = []
    callback = training._controller_callback(lambda row: None, tmp_path / "reported", said.append)
    callback.after_exception(None, {1: RuntimeError("Connection closed by peer [127.0.0.1]:1. Or so")})
    assert said == [
        "lost worker 1 (Connection closed by peer [127.0.0.1]:1); going on from the last checkpoint"
    ]
    with pytest.raises(UserError, match=r"train\.npy does not exist"):
        callback.after_exception(None, {0: RuntimeError("timeout"), 1: UserError("train.npy does not exist")})


# --- Machines that go ---------------------------------------------------------------------------------


class Machine:
    """A Ray node with processes, ports and folders of its own, as another machine would have."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))  # sockets need a short path
        command = [str(Path(sys.executable).parent / "ray"), "start", "--block", "--temp-dir", self.folder]
        self.log = (self.folder / "start.log").open("w+")
        self.process = subprocess.Popen(
            [*command, *arguments], stdout=self.log, stderr=subprocess.STDOUT, env=os.environ | environment
        )

    def wait(self) -> None:
        """Until it has joined."""
        for _ in range(600):
            said = (self.folder / "start.log").read_text()
            if "Ray runtime started" in said:
                return
            assert self.process.poll() is None, said
            time.sleep(0.2)
        raise AssertionError(said)

    def kill(self) -> None:
        """SIGKILL to all that runs on it."""
        if self.process.poll() is None:
            node = psutil.Process(self.process.pid)
            for process in [node, *node.children(recursive=True)]:
                process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Machines:
    """A cluster with token authentication, as docs/cluster.md starts it."""

    def __init__(self, folder: Path) -> None:
        (folder / "token").write_text(secrets.token_hex(32))
        self.environment = {
            "PYTHONPATH": str(ROOT),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
        }
        self.all: list[Machine] = []

    def head(self, cores: int) -> None:
        """A new cluster, which the next machines join."""
        port, client = free_port(), free_port()
        self.environment["RAY_ADDRESS"] = f"127.0.0.1:{port}"
        ports = ["--port", str(port), "--ray-client-server-port", str(client)]
        self._begin("--head", *ports, "--include-dashboard", "false", "--num-cpus", str(cores))
        self.all[-1].wait()

    def join(self) -> Machine:
        """Another machine, on its way."""
        self._begin("--address", self.environment["RAY_ADDRESS"], "--num-cpus", str(CORES))
        return self.all[-1]

    def _begin(self, *arguments: str) -> None:
        environment = {name: value for name, value in self.environment.items() if name != "RAY_ADDRESS"}
        self.all.append(Machine(environment, *arguments))


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    started = Machines(tmp_path)
    yield started
    for machine in started.all:
        machine.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.long
@pytest.mark.ray
@pytest.mark.slow
def test_killed_node_killed_head_and_ctrl_c_lose_at_most_an_epoch_each(
    two_workers: Path, undisturbed: Path, bucket: Bucket, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One rank per node. A node is lost and replaced; head and driver are lost, another cluster goes on;
    there the driver gets Ctrl-C. The weights are those of an undisturbed run on one machine."""
    project = two_workers
    machines.head(cores=0)
    first, second = machines.join(), machines.join()
    first.wait()
    second.wait()
    there = machines.environment | {"ROIGAN_CHECKPOINTS": bucket.checkpoints}

    process = start(project, **there)
    wait_for(project, "epoch 2 ", process)
    assert [len(workers_of(machine.process)) for machine in (first, second)] == [1, 1]
    second.kill()
    machines.join()
    wait_for(project, "lost worker", process)
    wait_for(project, "continuing at step", process)
    process.kill()
    for machine in machines.all:
        machine.kill()
    process.wait()

    machines.head(cores=2 * CORES)
    process = start(project, "again.txt", **there | machines.environment)
    wait_for(project, "continuing at step", process, "again.txt")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=300) == 130
    interrupted = (project / "again.txt").read_text()
    assert "interrupted; the same command goes on from the last checkpoint" in interrupted
    assert "Traceback" not in interrupted
    finish(project, start(project, "last.txt", **there | machines.environment), "last.txt")

    done = 0  # what a log shows is never computed again but for one epoch
    for log in ("log.txt", "again.txt", "last.txt"):
        for step in re.findall(r"(?:continuing at step|step) (\d+)(?:/| of )", (project / log).read_text()):
            assert done - 3 <= int(step), log
            done = int(step)
    logs = "".join((project / log).read_text() for log in ("log.txt", "again.txt", "last.txt"))
    assert len(steps_in(logs)) <= len(EVERY_EPOCH) + 3
    expected = load_file(undisturbed / "models/roigan/generator.safetensors")
    weights = load_file(project / "models/roigan/generator.safetensors")
    assert all((weights[key] == expected[key]).all() for key in expected)
    assert kept_in(bucket)  # for DVC may fail to store what has just been trained
    for name, value in (there | machines.environment).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(project)
    register.main()
    assert not kept_in(bucket)  # now that it is stored


def kept_in(bucket: Bucket) -> list[str]:
    """The files of checkpoints that lie in a bucket."""
    return [name for name in bucket.names() if "checkpoint-" in name]


@pytest.mark.long
@pytest.mark.ray
@pytest.mark.slow
def test_a_lost_machine_is_done_without(
    prepared: Path, small: Small, tmp_path: Path, machines: Machines
) -> None:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    write(tmp_path, small(train__num_workers=2, train__min_workers=1, train__steps=EVERY_EPOCH[-1]))
    machines.head(cores=0)
    first, second = machines.join(), machines.join()
    first.wait()
    second.wait()
    process = start(tmp_path, **machines.environment)
    wait_for(tmp_path, "epoch 2 ", process)
    second.kill()
    log = finish(tmp_path, process)
    assert "training on 1 of 2 workers" in log
    assert "waiting for machines" not in log
    assert points(tmp_path) == EVERY_EPOCH
    assert len(steps_in(log)) <= len(EVERY_EPOCH) + 1


@pytest.mark.parametrize("name", ["TMPDIR", "RAY_TMPDIR"])
@pytest.mark.parametrize("folder", ["l" * 85, "ü", "gone"])
def test_a_folder_that_takes_no_sockets_is_passed_over_or_named(
    name: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    if folder != "gone":
        (tmp_path / folder).mkdir()
    monkeypatch.setenv(name, str(tmp_path / folder))
    if name == "TMPDIR":
        cluster._short_folder()
        assert os.environ["RAY_TMPDIR"].startswith("/tmp/roigan-")
        cluster._short_folder()  # and that one is right
        return
    with pytest.raises(UserError, match=r"^RAY_TMPDIR: Ray cannot keep its sockets in ") as said:
        cluster._short_folder()
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    "error", [ImportError("no\nV2"), OSError("AF_UNIX"), RuntimeError("x"), ValueError("y")]
)
def test_what_keeps_ray_from_starting_is_one_line_that_names_the_environment(
    error: Exception, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    def init(**_: object) -> None:
        raise error

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    monkeypatch.setenv("RAY_ODD_SETTING", "abc")
    monkeypatch.setenv("RAY_TRAIN_V2_ENABLED", "0")
    with pytest.raises(UserError, match=r"^Ray does not start \(.*RAY_ODD_SETTING") as said:
        cluster.start_ray(1, small())
    assert "RAY_ADDRESS" not in str(said.value)
    assert "\n" not in str(said.value)
    assert os.environ["RAY_TRAIN_V2_ENABLED"] == "1"


def test_a_setting_that_ends_rays_process_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ray")
    monkeypatch.setenv("RAY_health_check_period_ms", "x")
    with pytest.raises(
        UserError, match=r"^Ray does not start; the environment sets RAY_health_check_period_ms"
    ):
        cluster._survives_import()


# --- Work on many pictures -----------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.ray
@pytest.mark.slow
def test_a_folder_is_completed_by_all_machines_as_by_one(machines: Machines, tmp_path: Path) -> None:
    """In the order of its pictures, what goes wrong in one's own words, though no machine shares a folder."""
    save_small_model(tmp_path / "model")
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(3):
        picture = Image.fromarray(rng.integers(0, 256, (40, 50, 3), np.uint8))
        picture.save(tmp_path / f"in/{number}.png")
    mask = np.zeros((40, 50), np.uint8)
    mask[10:20, 10:30] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    program = """
import sys, time
from pathlib import Path
from unittest.mock import patch

from roigan.cli import complete, main
from roigan.errors import UserError
from roigan.launch.spreading import spread
from roigan.systems.model import Model

def where(model, number):
    import ray  # not earlier: it reads the environment that `spread` has set

    time.sleep(0.5)
    if number == 9:
        raise UserError("nine is refused")
    return ray.get_runtime_context().get_node_id()

with patch.object(complete, "BATCH", 1):
    main.main()
try:
    for number, node in spread(Model.load(Path("model")), where, range(10)):
        print(number, node)
except UserError as error:
    print(error)
"""
    command = [
        sys.executable, "-c", program, "complete", "--model", "model", "--image", "in",
        "--mask", "mask.png", "--seed", "0", "7", "--out",
    ]  # fmt: skip
    machines.head(cores=0)
    for machine in (machines.join(), machines.join()):
        machine.wait()
    environment = os.environ | machines.environment
    done = subprocess.run(
        [*command, "many"], cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, check=True
    )
    *lines, refused = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list("012345678")
    assert len({line.split()[1] for line in lines}) == 2
    assert refused == "nine is refused"
    alone = [sys.executable, "-m", "roigan.cli", *command[3:], "one"]
    environment = {name: value for name, value in environment.items() if name != "RAY_ADDRESS"}
    subprocess.run(alone, cwd=tmp_path, env=environment | {"OMP_NUM_THREADS": "1"}, check=True)
    files = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert files == [f"{number}-{seed}.png" for number in range(3) for seed in (0, 7)]
    for file in files:
        pair = [np.asarray(Image.open(tmp_path / folder / file)) for folder in ("one", "many")]
        np.testing.assert_array_equal(*pair)
