"""How fast the editor's server is, and what a minute of 32 people does to it.

    python -m benchmarks.editor --model releases/faces64

starts `roigan edit` and prints: seconds from the command to the address; latencies of 32 clients that move
sliders for a minute, the statuses they got, and the server's memory before and after (`--clients 0` leaves
them out); then `/api/fill` and `/api/paint` beside the bare model, in turns.
"""

from __future__ import annotations

import argparse
import itertools
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import psutil
import requests
import torch

from roigan.apps.editor.app import PAGE
from roigan.apps.recipe import runs_of
from roigan.inference.inpaint import latent
from roigan.inference.manipulation import region
from roigan.systems.model import Model

BATCHES, TURNS = (1, 8), 20
STEPS, CANDIDATES = (5, 20), 4


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="releases/faces64")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    began = time.perf_counter()
    command = [sys.executable, "-m", "roigan.cli", "edit", "--model", given.model, "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        (url,) = re.findall(r"http://\S+\d", server.stdout.readline())
        print(f"address after {time.perf_counter() - began:.1f} s")
        asked = prepare(url)
        if given.clients:
            crowd(url, asked, given.clients, given.seconds, psutil.Process(server.pid))
        compare(url, given.model, asked)
        compare_steps(url, given.model, asked)
    finally:
        server.terminate()
        server.wait()


def prepare(url: str) -> dict[str, Any]:
    """Opens the cat with a region on it; the body of a slider's request."""
    file = {"data": (PAGE / "cat.jpg").read_bytes(), "headers": {"Content-Type": "image/jpeg"}}
    about = requests.put(f"{url}/api/pictures", timeout=60, **file).json()
    (model, *_) = requests.get(f"{url}/api/models", timeout=60).json()
    mask = np.zeros((about["height"], about["width"]), bool)
    mask[70:176, 120:372] = True
    eyes = {"model": model["sha256"], "runs": runs_of(mask)}
    asked = {"picture": about["sha256"], "regions": [eyes]}
    window = requests.post(f"{url}/api/window", json=asked, timeout=60).json()
    return {"model": model["sha256"], **window}


def fill(url: str, asked: dict[str, Any], c: float, count: int = 1) -> requests.Response:
    """What a slider at c asks for, so many times over."""
    body = {key: asked[key] for key in ("model", "x", "M")} | {"fillings": [{"seed": 1, "c": [c]}] * count}
    return requests.post(f"{url}/api/fill", json=body, timeout=120)


def compare(url: str, folder: str, asked: dict[str, Any]) -> None:
    """/api/fill and the model alone, in turns."""
    model = Model.load(folder)
    size, generator = model.image_size, torch.Generator().manual_seed(0)
    for count in BATCHES:
        x, M = torch.zeros(count, model.channels, size, size), torch.zeros(count, 1, size, size)
        M[:, :, size // 4 : -size // 4, size // 4 : -size // 4] = 1
        z = model.latent(count, generator)
        served, bare = [], []
        for turn in range(TURNS):
            served.append(timed(partial(fill, url, asked, turn / TURNS, count)))
            bare.append(timed(partial(model.complete, x, M, z)))
        report(f"fill of {count}", served, bare)


def compare_steps(url: str, folder: str, asked: dict[str, Any]) -> None:
    """/api/paint with a stroke of colour, and the passes through the model that its steps take, in turns."""
    model = Model.load(folder)
    size = model.image_size
    x, M = torch.zeros(1, model.channels, size, size), torch.zeros(1, 1, size, size)
    M[:, :, size // 4 : -size // 4, size // 4 : -size // 4] = 1
    canvas, z0 = region(model, x, M, latent(model, 0))
    stroke = {"brush": "colour", "points": [[200, 120], [280, 130]], "size": 16, "colour": [60, 20, 20]}
    body = asked | {"strokes": [stroke], "start": {"seed": 0}, "candidates": CANDIDATES, "lam_s": 1}

    def passes(steps: int) -> None:
        for _ in range(steps):
            z = z0.repeat(CANDIDATES, 1).requires_grad_(True)
            torch.autograd.grad(canvas.G(z).square().sum(), z)

    for steps in STEPS:
        served, bare = [], []
        for _ in range(TURNS):
            task = body | {"steps": steps}
            served.append(timed(partial(requests.post, f"{url}/api/paint", json=task, timeout=120)))
            bare.append(timed(partial(passes, steps)))
        report(f"{steps} steps of {CANDIDATES} candidates", served, bare)


def report(what: str, served: list[float], bare: list[float]) -> None:
    """Medians, and their ratio."""
    a, b = np.median(served), np.median(bare)
    print(f"{what}: {1000 * a:.0f} ms, bare {1000 * b:.0f} ms, ratio {a / b:.2f}", flush=True)


def timed(work: Callable[[], Any]) -> float:
    """Seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def crowd(url: str, asked: dict[str, Any], clients: int, seconds: float, server: psutil.Process) -> None:
    """Clients that move a slider, one request under way each, and wait as they are told to."""
    end, before = time.perf_counter() + seconds, server.memory_info().rss
    statuses: Counter[int] = Counter()
    latencies: list[float] = []

    def move(client: int) -> None:
        for step in itertools.count():
            if time.perf_counter() > end:
                return
            began = time.perf_counter()
            answer = fill(url, asked, np.sin(step + client))
            statuses[answer.status_code] += 1
            if answer.ok:
                latencies.append(time.perf_counter() - began)
            else:
                time.sleep(float(answer.headers.get("Retry-After", 0)))

    threads = [threading.Thread(target=move, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    p50, p95, p99 = 1000 * np.percentile(latencies, [50, 95, 99])
    rate = len(latencies) / seconds
    print(f"{clients} clients, {seconds:.0f} s: statuses {dict(statuses)}, {rate:.1f} fillings a second")
    print(f"latency of those served: median {p50:.0f} ms, 95 % {p95:.0f} ms, 99 % {p99:.0f} ms")
    after = server.memory_info().rss
    print(f"memory {before / 2**20:.0f} MiB before, {after / 2**20:.0f} MiB after")


if __name__ == "__main__":
    main()
