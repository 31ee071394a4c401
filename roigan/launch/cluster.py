"""Ray itself: on this machine or a cluster, quiet, and what of it every worker gets."""

from __future__ import annotations

import logging
import math
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from roigan.config import Params
from roigan.errors import UserError, brief

# Ray reads these when it is imported or started.
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # or Ray zips the project and builds a second environment
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


# What trainings of this kind need, whatever the environment says.
NEEDED = {"RAY_TRAIN_V2_ENABLED": "1"}
# Ray's sockets lie at FOLDER/ray/session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store
LONGEST_SOCKET, BELOW = (103 if sys.platform == "darwin" else 107), 71


def named() -> str | None:
    """The cluster that RAY_ADDRESS names, if it names one."""
    address = os.environ.get("RAY_ADDRESS")
    return None if address == "local" else address or None


def start_ray(wanted: float, params: Params | None = None) -> None:
    """Join the cluster that RAY_ADDRESS names, else start Ray on this machine.

    wanted: the cores that are asked for; where this machine has fewer, Ray is told that it has them, or it
    would wait for ever. params: of a training, which may want a GPU of this machine. Raises UserError where
    there is no such cluster, or something in the environment keeps Ray from starting.
    """
    address = named()
    os.environ.update({key: os.environ.get(key, value) for key, value in QUIET.items()} | NEEDED)
    if not address:
        # one process less per group: nobody announces that this machine will be taken away
        os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
        _short_folder()
    _survives_import()
    try:
        import ray
        import ray.train
        import ray.tune  # both read the environment as well
        from ray.exceptions import AuthenticationError
    except Exception as error:
        raise _no_start(error) from None

    if ray.is_initialized():
        return
    if address:
        _knock(address)
    elif params:
        device(params)  # on a cluster, the machine that starts the training may have no GPU
    found = None if address else max(cores(), math.ceil(wanted))
    try:
        # what workers say comes through reports; Ray's own forwarding would prefix, repeat and interleave it
        ray.init(
            address=address or "local",
            num_cpus=found,
            include_dashboard=False,  # half a dozen processes that a laptop has no use for
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except Exception as error:
        if not address:
            raise _no_start(error) from None
        if not isinstance(error, ConnectionError | AuthenticationError | ValueError):
            raise _no_start(error) from None
        reason = brief(error).split(". ")[0]
        raise UserError(
            f"RAY_ADDRESS: cannot join Ray at {address} ({reason}); have both the same token and version?"
        ) from None


def _survives_import() -> None:
    """Raise UserError for a setting that Ray's core ends the process for, without a word, when it is imported
    (RAY_health_check_period_ms=x); tried elsewhere, and only where there are such settings."""
    core = sorted(name for name in os.environ if re.match("RAY_[a-z]", name))
    if core and "ray" not in sys.modules:
        done = subprocess.run([sys.executable, "-c", "import ray"], capture_output=True)
        if done.returncode:
            raise UserError(
                f"Ray does not start; the environment sets {', '.join(core)}: a value of it is wrong"
            )


def _no_start(error: Exception) -> UserError:
    """What keeps Ray from starting: most likely what the environment sets of it."""
    ours = QUIET.keys() | NEEDED | {"RAY_TRAIN_ENABLE_PREEMPTION_WATCHER"}
    theirs = sorted(name for name in os.environ if name.startswith("RAY_") and name not in ours)
    advice = (
        f"the environment sets {', '.join(theirs)}: unset what is not needed" if theirs else "see Ray's logs"
    )
    return UserError(f"Ray does not start ({type(error).__name__}: {brief(error)}); {advice}")


def _short_folder() -> None:
    """Have Ray put its sockets where their names are short enough and ASCII: in /tmp, where TMPDIR is not so.

    Raises UserError for a RAY_TMPDIR that is not so, or where there is no /tmp to write to.
    """
    name = next((name for name in ("RAY_TMPDIR", "TMPDIR") if name in os.environ), None)
    folder = os.environ[name] if name else "/tmp"
    fits = folder.isascii() and len(os.path.abspath(folder)) + BELOW <= LONGEST_SOCKET
    if fits and os.access(folder, os.W_OK):
        return
    if name == "TMPDIR" and os.access("/tmp", os.W_OK):
        # whose it is stands in the name: another user's /tmp/ray may not be written to
        own = Path("/tmp") / f"roigan-{os.getuid()}"
        own.mkdir(mode=0o700, exist_ok=True)
        os.environ["RAY_TMPDIR"] = str(own)
        return
    most = LONGEST_SOCKET - BELOW
    raise UserError(
        f"{name or 'TMPDIR'}: Ray cannot keep its sockets in {folder}; set RAY_TMPDIR to a folder that can "
        f"be written to, in ASCII and at most {most} characters"
    )


def cores() -> int:
    """How many cores this process may use: a container on a machine of 64 may have been given two."""
    from ray._private.utils import get_num_cpus  # knows quotas, though neither taskset nor less than one core

    quota = int(get_num_cpus(override_docker_cpu_warning=True))
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else quota  # not on a Mac
    return max(1, min(quota, allowed))


def _knock(address: str) -> None:
    """Raise UserError where nobody listens at HOST:PORT; Ray itself would try for minutes."""
    if "://" in address:  # Ray's client, which runs no trainings of this kind
        raise UserError(f"RAY_ADDRESS: {address} is no address of a cluster; write HOST:PORT")
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit()):  # `auto`, say
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError as error:
        raise UserError(f"RAY_ADDRESS: no Ray at {address} ({error.strerror or error})") from None


def share(params: Params) -> dict[str, float]:
    """What every worker asks for: a GPU if wanted, and the most cores with which all find a machine.

    Cores become threads. Machines may differ, and a worker cannot reach over two of them: 4 cores here and
    8 there are room for two workers of 4. One core where the machines that are up are too few for all.
    """
    gpu = {"GPU": 1.0} if params.train.use_gpu else {}
    most = max((int(node.get("CPU", 0)) for node in _machines()), default=1)
    for cores in range(most, 1, -1):
        if room({"CPU": cores} | gpu) >= params.train.num_workers:
            return {"CPU": cores} | gpu
    return {"CPU": 1} | gpu


def room(need: dict[str, float]) -> int:
    """How many workers that need so much find place on the machines that are up."""
    return sum(int(min(node.get(name, 0) // amount for name, amount in need.items())) for node in _machines())


def _machines() -> list[dict[str, float]]:
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def device(params: Params) -> str:
    """`cuda` or `cpu`, as train.use_gpu says; raises UserError where there is no such device."""
    import torch

    if params.train.use_gpu and not torch.cuda.is_available():
        raise UserError("train.use_gpu is true, but torch sees no CUDA device here; set it to false")
    return "cuda" if params.train.use_gpu else "cpu"
