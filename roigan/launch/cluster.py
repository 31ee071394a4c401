"""Ray itself: on this machine or a cluster, quiet, and the device that params.yaml asks for."""

from __future__ import annotations

import logging
import os

from roigan.config import Params
from roigan.errors import UserError

# Ray reads these when it is imported or started.
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # or Ray zips the project and builds a second environment
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def start_ray(params: Params) -> None:
    """Join the cluster that RAY_ADDRESS names, else start Ray on this machine."""
    os.environ.update({key: os.environ.get(key, value) for key, value in QUIET.items()})
    import ray

    if ray.is_initialized():
        return
    device(params)
    address = os.environ.get("RAY_ADDRESS", "local")
    cores = max(os.cpu_count() or 1, params.train.num_workers) if address == "local" else None
    # what workers say comes through reports; Ray's own forwarding would prefix, repeat and interleave it
    ray.init(
        address=address,
        num_cpus=cores,
        include_dashboard=False,  # half a dozen processes that a laptop has no use for
        log_to_driver=False,
        logging_level=logging.ERROR,
    )


def device(params: Params) -> str:
    """`cuda` or `cpu`, as train.use_gpu says; raises UserError where there is no such device."""
    import torch

    if params.train.use_gpu and not torch.cuda.is_available():
        raise UserError("train.use_gpu is true, but torch sees no CUDA device here; set it to false")
    return "cuda" if params.train.use_gpu else "cpu"
