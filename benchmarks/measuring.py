"""What all benchmarks share: rates, the machine's own measured peak, and where a number comes from."""

from __future__ import annotations

import json
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


def synchronise(device: torch.device) -> None:
    """Wait for the device: GPU kernels run behind the program."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def duration(work: Callable[[], Any], device: torch.device) -> float:
    """Seconds that one call of `work` takes, to the end of what it has the device do."""
    synchronise(device)
    began = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - began


def rate(work: Callable[[], Any], count: int, device: torch.device, seconds: float = 5.0) -> float:
    """`count` things per call of `work` -> things per second: the median over calls, after two to warm up."""
    return count / statistics.median(_times(work, device, seconds))


def peak_flops(device: torch.device, dtype: torch.dtype = torch.float32) -> float:
    """Floating-point operations per second of a large matrix product here at its best: the machine's peak."""
    n = 8192 if device.type == "cuda" else 2048
    a = torch.randn(n, n, device=device, dtype=dtype)
    return 2 * n**3 / min(_times(lambda: a @ a, device, seconds=2.0))


def _times(work: Callable[[], Any], device: torch.device, seconds: float) -> list[float]:
    for _ in range(2):
        work()
    times: list[float] = []
    while sum(times) < seconds or len(times) < 3:
        times.append(duration(work, device))
    return times


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def finish(name: str, rates: Any, on: torch.device, **more: Any) -> None:
    """Print the line of JSON: name, rate, what else was found, memory and provenance."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if on.type == "cuda":
        memory = torch.cuda.max_memory_allocated() / 2**20
    result = {"name": name, "rate": rates, **more, "memory_mib": round(memory)}
    print(json.dumps(result | {"provenance": provenance(on)}))


def provenance(on: torch.device) -> dict[str, Any]:
    """Device, threads, versions and commit."""
    commit = _git("rev-parse", "--short=12", "HEAD") + ("+" if _git("status", "--porcelain", "-uno") else "")
    name = torch.cuda.get_device_name() if on.type == "cuda" else _processor()
    return {
        "device": name, "threads": torch.get_num_threads(), "torch": torch.__version__,
        "python": platform.python_version(), "commit": commit, "date": time.strftime("%Y-%m-%d"),
    }  # fmt: skip


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _processor() -> str:
    with open("/proc/cpuinfo") as lines:
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
