"""What one training worker does, from top to bottom: build, loop, average, sample, checkpoint, report."""

from __future__ import annotations

import copy
import csv
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from roigan.config import Params, TrainParams
from roigan.features.network import FeatureNetwork, load_features
from roigan.files import paths
from roigan.game import Nets, play
from roigan.images.arrays import load_split, load_statistics
from roigan.images.grids import png
from roigan.systems.by_name import SYSTEMS
from roigan.systems.model import save_model
from roigan.training import checkpoint
from roigan.training.allocator import keep_memory
from roigan.training.batches import Shuffled, make_batch, training_masks
from roigan.training.precision import choose_precision
from roigan.training.progress import Means, Progress
from roigan.training.samples import Showcase
from roigan.training.worker import Place


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
