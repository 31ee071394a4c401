"""Claim 4 of HistoryAD: how many images of each past generator a classifier of digits doubts, as a CSV file.

    python -m benchmarks.history_past docs/results/history-past.csv FOLDER...

A folder is a project as `benchmarks.history_ad` has it, of images with labels, which teach the classifier.
A row `real` has what it doubts among validation images. Doubted: no class has nine tenths.
"""

from __future__ import annotations

import argparse
import copy
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roigan.files import paths
from roigan.images.arrays import load_labels, load_split, to_float
from roigan.nets.ladder import Trunk
from roigan.systems.model import Model
from roigan.systems.states import load_states

STEPS, BATCH, RATE = 800, 128, 2e-3
WIDTH = 0.25
IMAGES = 1000  # of every state, and of validation
SURE = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    arguments = parser.parse_args()
    out, tables = arguments.out.resolve(), []
    for folder in arguments.folders:
        with chdir(folder):
            tables.append(doubted(torch.Generator().manual_seed(0)).assign(project=folder.name))
        print(tables[-1].to_string(index=False), flush=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(tables).to_csv(out, index=False, float_format="%.4g")


def doubted(generator: torch.Generator) -> pd.DataFrame:
    """The shares in the project that is the current folder; step 0 is `real`."""
    judge = classifier(generator)
    val = to_float(np.asarray(load_split(paths.PREPARED, "val")[:IMAGES]))
    rows = [{"images": "real", "step": 0, "doubted": share(judge, val)}]
    prior = Model.load(paths.PRIOR)
    G = copy.deepcopy(prior.G)
    z = torch.randn(IMAGES, prior.sizes.noise, generator=generator)  # the same for every state
    for state in load_states(paths.PRIOR / "states", prior.config["states"]):
        G.load_state_dict(state.nets["G"])
        with torch.no_grad():
            images = torch.cat([G(part) for part in z.split(250)])
        rows.append({"images": "past", "step": state.step, "doubted": share(judge, images)})
    return pd.DataFrame(rows)


def classifier(generator: torch.Generator) -> nn.Module:
    """Of the labels of the training images."""
    images, labels = load_split(paths.PREPARED, "train"), load_labels(paths.PREPARED, "train")
    assert labels is not None, "images without labels teach no classifier"
    size, channels = images.shape[1], images.shape[3]
    torch.manual_seed(0)
    net = Trunk(size, channels, WIDTH, outputs=int(labels.max()) + 1)
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    for _ in range(STEPS):
        rows = torch.randint(len(images), (BATCH,), generator=generator).numpy()
        x, wanted = to_float(images[rows]), torch.from_numpy(labels[rows])
        optimizer.zero_grad()
        F.cross_entropy(net(x), wanted).backward()
        optimizer.step()
    return net.eval()


@torch.no_grad()
def share(judge: nn.Module, x: Tensor) -> float:
    """Of images x [N, C, S, S], those of which no class has nine tenths."""
    sure = torch.cat([judge(part).softmax(1).max(1).values for part in x.split(250)])
    return (sure < SURE).double().mean().item()


if __name__ == "__main__":
    main()
