"""What one training worker does, from top to bottom: build, loop, average, sample, checkpoint, report."""

from __future__ import annotations

import copy
import csv
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from roigan import checkpoint, paths
from roigan.allocator import keep_memory
from roigan.config import Params, TrainParams
from roigan.data import Shuffled, load_split, load_statistics, normalise
from roigan.draws import Draws
from roigan.features import FeatureNetwork, load_features
from roigan.game import Batch, Nets, play
from roigan.masks import CachedSampler, Sampler, load_cache
from roigan.model import save_model
from roigan.pictures import png
from roigan.precision import choose_precision
from roigan.progress import Means, Progress
from roigan.showcase import Showcase
from roigan.systems import SYSTEMS


@dataclass
class Place:
    """Where a worker runs: its rank among how many, its device, and how it speaks to the outside."""

    name: str  # of the run: equal names are the same training
    root: Path  # the project's folder: outputs of earlier stages lie below it
    report: Callable[[dict[str, Any], Path | None], None]
    """report(metrics, folder): every rank calls it after every epoch; rank 0 brings a checkpoint folder."""
    scratch: Path  # rank 0 writes its checkpoint folder here
    say: Callable[[str], None] = lambda line: None  # at the latest with the next report
    pulse: Callable[[str], None] = lambda line: None  # at once, between reports; every rank calls it
    rank: int = 0
    world: int = 1
    device: torch.device | str = "cpu"
    wrap: Callable[[nn.Module], nn.Module] = lambda net: net  # DistributedDataParallel, or nothing
    resume: Path | None = None  # the last checkpoint folder


def train(params: Params, place: Place) -> str | None:
    """Train until `train.steps`; returns None, or in one line why the run had to stop.

    All that a run is lies in its last checkpoint: networks, optimisers, moving average, history, samples and
    the model as it will be stored.
    """
    keep_memory()
    torch.manual_seed(params.train.seed)  # the only global seed: initial weights, equal on all ranks
    device = torch.device(place.device)
    x_train = torch.from_numpy(np.array(load_split(place.root / paths.PREPARED, "train"))).to(device)
    perceptual = load_features(place.root / paths.FEATURES).to(device)
    system = SYSTEMS[params.model.system](params, perceptual)
    for net in system.nets.values():
        net.to(device)
    average = copy.deepcopy(system.nets["G"]).requires_grad_(False).eval()  # as it will be used
    players = system.players()
    rates = [player.optimizer.param_groups[0]["lr"] for player in players]
    kept = system.nets | {"G average": average}
    optimizers = {player.name: player.optimizer for player in players}

    state: dict[str, Any] = {"step": 0, "history": [], "precision": None}
    if place.resume:
        state = checkpoint.load(place.resume, kept, optimizers)
        place.say(f"continuing at step {state['step']} of {params.train.steps}")
    if not state["precision"]:
        state["precision"], reason = choose_precision(params.train.precision, device, place.world)
        place.say(f"precision {state['precision']}: {reason}")
    half = state["precision"] == "bf16"
    for net in [*system.nets.values(), perceptual]:  # what images come in; float32 gains a tenth by it
        net.to(memory_format=torch.channels_last)

    def autocast() -> Any:
        return torch.autocast(device.type, torch.bfloat16) if half else nullcontext()

    nets = Nets(system.nets, place.wrap)
    lent = round(params.train.constraints * len(x_train))  # the last ones; `prepare` has shuffled them
    order = Shuffled(len(x_train) - lent, params.train.batch_size, params.train.seed)
    sampler = training_masks(params, place.root)
    show = Showcase(params, place.root, device)
    samples: dict[str, bytes] = {}  # every grid so far, as PNG
    if place.resume:
        samples = {grid.name: grid.read_bytes() for grid in sorted((place.resume / "samples").glob("*.png"))}
    progress = Progress(params.train.steps, state["step"], params.train.batch_size)

    span = params.train.report_every or order.steps_per_epoch

    while state["step"] < params.train.steps:
        epoch = state["step"] // span
        last = min((epoch + 1) * span, params.train.steps)
        means = Means()
        for step in range(state["step"], last):
            for player, lr in zip(players, rates, strict=True):
                for group in player.optimizer.param_groups:
                    group["lr"] = lr * remaining(step, params.train)
            batch = make_batch(params, x_train, order, sampler, step, place)
            means.add(step, play(players, nets, batch, autocast))
            # young averages forget faster, or they would be mostly initial weights
            decay = min(params.train.ema, (1 + step) / (10 + step))
            update_average(average, system.nets["G"], 1 - decay)
            if progress.due(step + 1, last, device, place.world):
                place.pulse(progress.line(epoch + 1, step + 1, {}, progress.rate(step + 1)))
        terms, broken = means.over_ranks(place.world)
        rate = progress.rate(last)
        row = {"step": last, "epoch": epoch + 1, **terms, "images_per_s": rate}
        if broken:
            return (
                f"{broken} became {terms[broken]} in epoch {epoch + 1}, before step {last}; "
                "lower train.lr_g, train.lr_d or the term's weight"
            )
        state["step"] = last
        state["history"].append(row)
        place.say(progress.line(epoch + 1, last, terms, rate))
        folder = None
        if place.rank == 0:
            folder = place.scratch
            if epoch % params.train.sample_every == 0 or last == params.train.steps:
                samples[f"{last:07d}.png"] = png(show.picture(average))
            config = model_config(params, place, perceptual, state["precision"])
            with checkpoint.writing(last):
                (folder / "samples").mkdir(parents=True, exist_ok=True)
                for name, picture in samples.items():
                    (folder / "samples" / name).write_bytes(picture)
                checkpoint.save(folder, kept, optimizers, state)
                write_history(folder / "history.csv", state["history"])
                save_model(folder / "model", average, config)
                checkpoint.seal(folder)
        place.report(row, folder)
    return None


def remaining(step: int, train: TrainParams) -> float:
    """The factor of the learning rates: 1, then a straight line to 0 over the last `decay` of the steps."""
    return min(1.0, (train.steps - step) / max(1.0, train.decay * train.steps))


def make_batch(
    params: Params,
    x_train: Tensor,
    order: Shuffled,
    sampler: Sampler | CachedSampler,
    step: int,
    place: Place,
) -> Batch:
    """The rank's rows of the batch of a step: images (mirrored, noisy if asked for) and masks.

    Images beyond those that `order` counts lend their known pixels, at random.
    """
    total, device = params.train.batch_size, x_train.device
    share = total // place.world
    rows = slice(place.rank * share, (place.rank + 1) * share)
    draws = Draws(params.train.seed, step, total, rows, device)

    def images(indices: Tensor, noise: str) -> Tensor:  # [B], name of a draw -> [B, C, H, W]
        x = normalise(x_train[indices.to(device)].movedim(-1, 1))
        if params.train.flip:
            x = torch.where(draws.uniform("flip")[:, None, None, None] < 0.5, x.flip(-1), x)
        if params.train.noise:
            x = x + params.train.noise * draws.normal(noise, *x.shape[1:])
        return x

    x = lent = images(order.indices(step)[rows], "noise")
    if others := len(x_train) - order.count:
        lent = images(order.count + draws.integers("lent", others), "lent noise")
    return Batch(x, sampler(draws.uniform("M", sampler.draws)), draws, step, {}, lent)


def training_masks(params: Params, root: Path) -> Sampler | CachedSampler:
    """Fresh masks at every step, or those of the stage `masks` where `masks.cached` says so."""
    masks = params.masks
    if masks.cached:
        wanted = [family for family, weight in masks.train.items() if weight > 0]
        caches = {family: load_cache(root / paths.MASKS / "train" / f"{family}.npz") for family in wanted}
        return CachedSampler(masks.train, caches)
    return Sampler(masks.train, params.data.image_size, masks.known_share)


@torch.no_grad()
def update_average(average: nn.Module, G: nn.Module, weight: float) -> None:
    """Move the average's parameters towards G's by `weight`; buffers are copied."""
    torch._foreach_lerp_(list(average.parameters()), list(G.parameters()), weight)
    for mine, its in zip(average.buffers(), G.buffers(), strict=True):
        mine.copy_(its)


def model_config(params: Params, place: Place, features: FeatureNetwork, precision: str) -> dict[str, Any]:
    """What travels with the weights: how to build the network, and where the weights come from."""
    statistics = load_statistics(place.root / paths.PREPARED)
    return {
        "system": params.model.system,
        "image_size": params.data.image_size,
        "channels": params.data.channels,
        "model": params.model.model_dump(),
        "data": {key: statistics.get(key) for key in ("source", "data", "counts")},
        "features": {"network": features.name, "sha256": features.sha256},
        "params": params.fingerprint(),
        "fingerprint": place.name,
        "precision": precision,
    }


def write_history(path: Path, rows: list[dict[str, Any]]) -> None:
    """The epochs as CSV; a term that was not computed in an epoch leaves its cell empty."""
    names = dict.fromkeys(name for row in rows for name in row)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(names))
        writer.writeheader()
        writer.writerows(rows)
