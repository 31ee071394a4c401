"""What one training worker does, from top to bottom: build, loop, average, sample, checkpoint, report."""

from __future__ import annotations

import copy
import csv
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from roigan.config import Params, TrainParams
from roigan.errors import UserError
from roigan.features.classes import load_teacher
from roigan.features.network import FeatureNetwork, load_features
from roigan.files import paths
from roigan.game import Nets, play
from roigan.images.arrays import load_labels, load_split, load_statistics
from roigan.images.colours import grey_share
from roigan.images.grids import png
from roigan.nets.precision import choose_precision
from roigan.systems.by_name import SYSTEMS
from roigan.systems.interface import Given, Scorer
from roigan.systems.model import Model, save_model
from roigan.systems.states import load_states
from roigan.training import checkpoint
from roigan.training.allocator import keep_memory
from roigan.training.batches import Batches, training_masks
from roigan.training.history import History
from roigan.training.progress import Means, Progress
from roigan.training.reference import calibration, served
from roigan.training.samples import Samples
from roigan.training.worker import Worker


def train(params: Params, worker: Worker) -> str | None:
    """Train until `train.steps`; returns None, or in one line why the run had to stop.

    All that a run is lies in its last checkpoint: networks, optimisers, moving average, history, samples and
    the model as it will be stored.
    """
    keep_memory()
    torch.manual_seed(params.train.seed)  # the only global seed: initial weights, equal on all ranks
    device = torch.device(worker.device)
    x_train = torch.from_numpy(np.array(load_split(worker.root / paths.PREPARED, "train"))).to(device)
    if params.model.coordinates != "identity" and grey_share(x_train) > 0.5:
        raise UserError("over half of the training images are grey, and this model is to learn their colours")
    perceptual = load_features(worker.root / paths.FEATURES).to(device)
    prior = Model.load(worker.root / paths.PRIOR).to(device) if params.prior else None
    states = (
        load_states(worker.root / paths.PRIOR / "states", prior.config.get("states", [])) if prior else []
    )
    teacher = load_teacher(worker.root / paths.FEATURES, perceptual, device)
    system = SYSTEMS[params.model.system](params, Given(perceptual, prior, states, x_train, teacher))
    for net in system.nets.values():
        net.to(device)
    averages = {  # as they will be used
        kept.net: copy.deepcopy(system.nets[kept.net]).requires_grad_(False).eval()
        for kept in system.keeps
        if kept.averaged
    }
    players = system.players()
    rates = {player.name: [group["lr"] for group in player.optimizer.param_groups] for player in players}
    stored = system.nets | {f"{name} average": net for name, net in averages.items()}
    optimizers = {player.name: player.optimizer for player in players}

    past = History(params.train, {kept.net: system.nets[kept.net] for kept in system.keeps})

    # step: how many are made; history: rows of history.csv; states: what is kept of the past, with hashes
    state: dict[str, Any] = {"step": 0, "history": [], "precision": None, "states": []}
    if worker.resume:
        state = checkpoint.load(worker.resume, stored, optimizers)
        worker.say(f"continuing at step {state['step']} of {params.train.steps}")
    if not state["precision"]:
        state["precision"], reason = choose_precision(params.train.precision, device, worker.world)
        worker.say(f"precision {state['precision']}: {reason}")
    half = state["precision"] == "bf16"
    for net in [*system.nets.values(), perceptual]:  # what images come in; float32 gains a tenth by it
        net.to(memory_format=torch.channels_last)

    def autocast() -> Any:
        return torch.autocast(device.type, torch.bfloat16) if half else nullcontext()

    nets = Nets(system.nets, worker.wrap)
    labels = load_labels(worker.root / paths.PREPARED, "train")
    batches = Batches(
        params, x_train, None if labels is None else torch.from_numpy(labels).to(device),
        training_masks(params, worker.root), worker, max(player.turns for player in players),
    )  # fmt: skip
    show, shown = Samples(params, system.verbs[0], worker.root, device, prior), system.keeps[0].net
    samples: dict[str, bytes] = {}  # every grid so far, as PNG
    if worker.resume:
        samples = {grid.name: grid.read_bytes() for grid in sorted((worker.resume / "samples").glob("*.png"))}
    progress = Progress(params.train.steps, state["step"], params.train.batch_size)

    span = params.train.report_every or batches.steps_per_epoch

    while state["step"] < params.train.steps:
        epoch = state["step"] // span
        last = min((epoch + 1) * span, params.train.steps)
        means = Means()
        for step in range(state["step"], last):
            for player in players:
                for group, lr in zip(player.optimizer.param_groups, rates[player.name], strict=True):
                    group["lr"] = lr * remaining(step, params.train)
            means.add(step, play(players, nets, partial(batches.draw, step), autocast))
            # young averages forget faster, or they would be mostly initial weights
            decay = min(params.train.ema, (1 + step) / (10 + step))
            for name, average in averages.items():
                update_average(average, system.nets[name], 1 - decay)
            past.see(step + 1)
            if progress.due(step + 1, last):
                worker.say(progress.line(epoch + 1, step + 1, {}, progress.rate(step + 1)))
        terms, broken = means.over_ranks(worker.world)
        rate = progress.rate(last)
        row = {"step": last, "epoch": epoch + 1, **terms, "images_per_s": rate}
        if broken:
            return (
                f"{broken} became {terms[broken]} in epoch {epoch + 1}, before step {last}; "
                "lower train.lr_g, train.lr_d or the term's weight"
            )
        state["step"] = last
        state["history"].append(row)
        worker.say(progress.line(epoch + 1, last, terms, rate))
        folder = None
        if worker.rank == 0:
            folder = worker.scratch
            if isinstance(system, Scorer):
                system.remember()
            if epoch % params.train.sample_every == 0 or last == params.train.steps:
                with served(averages.get(shown, system.nets[shown])) as net:
                    samples[f"{last:07d}.png"] = png(show.picture(net))
            with checkpoint.writing(last):
                for file, noted in past.write(folder.with_name("states")):
                    worker.keep_state(file)
                    state["states"].append(noted)
                config = model_config(params, worker, perceptual, state, prior)
                if "score" in system.verbs and last == params.train.steps:
                    val = load_split(worker.root / paths.PREPARED, "val")
                    with served(system.nets["D"]) as D:
                        config["normal"] = calibration(D, val, device)
                (folder / "samples").mkdir(parents=True, exist_ok=True)
                for name, picture in samples.items():
                    (folder / "samples" / name).write_bytes(picture)
                checkpoint.save(folder, stored, optimizers, state)
                write_history(folder / "history.csv", state["history"])
                save_model(folder / "model", system.nets | averages, config, prior=prior)
                checkpoint.seal(folder)
        worker.report(row, folder)
    return None


def remaining(step: int, train: TrainParams) -> float:
    """The factor of the learning rates: 1, then a straight line to 0 over the last `decay` of the steps."""
    return min(1.0, (train.steps - step) / max(1.0, train.decay * train.steps))


@torch.no_grad()
def update_average(average: nn.Module, net: nn.Module, weight: float) -> None:
    """Move the average's parameters towards the net's by `weight`; buffers are copied."""
    torch._foreach_lerp_(list(average.parameters()), list(net.parameters()), weight)
    for mine, its in zip(average.buffers(), net.buffers(), strict=True):
        mine.copy_(its)


def model_config(
    params: Params, worker: Worker, features: FeatureNetwork, state: dict[str, Any], prior: Model | None
) -> dict[str, Any]:
    """What travels with the weights: how to build the network, and where the weights come from."""
    statistics = load_statistics(worker.root / paths.PREPARED)
    return {
        "system": params.model.system,
        "verbs": list(SYSTEMS[params.model.system].verbs),
        "image_size": params.data.image_size,
        "channels": params.data.channels,
        "model": params.model.model_dump(),
        "data": {key: statistics.get(key) for key in ("source", "data", "counts")},
        "features": {"network": features.name, "sha256": features.sha256},
        "params": params.fingerprint(),
        "fingerprint": worker.name,
        "precision": state["precision"],
        "states": state["states"],
        "prior": prior.sha256 if prior else None,
    }


def write_history(path: Path, rows: list[dict[str, Any]]) -> None:
    """The epochs as CSV; a term that was not computed in an epoch leaves its cell empty."""
    names = dict.fromkeys(name for row in rows for name in row)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(names))
        writer.writeheader()
        writer.writerows(rows)
