"""Ray itself: on this machine or a cluster, quiet, and what of it every worker gets."""

from __future__ import annotations

import logging
import math
import os
import socket

from roigan.config import Params
from roigan.errors import UserError, brief

# Ray reads these when it is imported or started.
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # or Ray zips the project and builds a second environment
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def start_ray(params: Params, wanted: float) -> None:
    """Join the cluster that RAY_ADDRESS names, else start Ray on this machine.

    wanted: the cores that are asked for; where this machine has fewer, Ray is told that it has them, or it
    would wait for ever. Raises UserError where there is no such cluster.
    """
    os.environ.update({key: os.environ.get(key, value) for key, value in QUIET.items()})
    import ray
    from ray.exceptions import AuthenticationError

    if ray.is_initialized():
        return
    address = os.environ.get("RAY_ADDRESS") or "local"
    if address == "local":
        device(params)  # on a cluster, the machine that starts the training may have no GPU
        # one process less per group: nobody announces that this machine will be taken away
        os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
    else:
        _knock(address)
    found = max(cores(), math.ceil(wanted)) if address == "local" else None
    try:
        # what workers say comes through reports; Ray's own forwarding would prefix, repeat and interleave it
        ray.init(
            address=address,
            num_cpus=found,
            include_dashboard=False,  # half a dozen processes that a laptop has no use for
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, AuthenticationError, ValueError) as error:
        reason = brief(error).split(". ")[0]
        raise UserError(
            f"RAY_ADDRESS: cannot join Ray at {address} ({reason}); have both the same token and version?"
        ) from None


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
