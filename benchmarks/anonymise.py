"""What faces made anonymous still tell: who it was, what they expressed, that they were made.

    python -m benchmarks.anonymise MODEL WORKSPACE PRIOR [--queries 150] [--pairs 800] [--only METHOD ...]

MODEL: a model folder for faces; WORKSPACE: a project folder with prepared faces of its size and a judge;
PRIOR: a model folder of whole faces with its D. Writes rows into docs/results/anonymiser.csv (`measure`,
`method`, `value`, its standard error, `n`), those of benchmarks.anonymise_films left alone.

Faces are completed at the model's size, in a disc from brows to chin. Of the test faces the first are asked
about, and all are the gallery. A matcher and a fresh D are trained on pairs of training faces (original,
anonymised), for each method; with an expression, those of e = 0 are asked again.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.measuring import provenance
from roigan.apps.anonymiser.expression import distance, expressive
from roigan.config import parse_model
from roigan.errors import exit_on_user_error
from roigan.evaluation.methods import nearest
from roigan.evaluation.metrics.ranking import ap_and_auroc, draws, ranking
from roigan.features.network import load_features
from roigan.images.arrays import load_split, to_float, to_uint8
from roigan.images.blending import complete, continuation
from roigan.systems.model import Model
from roigan.systems.roigan.networks import Discriminator

RESULTS = Path("docs/results/anonymiser.csv")
CENTRE, RADIUS = (37.0, 32.5), 24.5  # of the disc, in pixels of 64: from brows to chin, from ear to ear
INNER = (42.0, 32.5), 14.0  # of eyes, nose and mouth alone
WEIGHTS = (0.1, 1.0)  # of expressions
WITH_EXPRESSION = [f"this model, e = {e:g}" for e in WEIGHTS]
FACES = ("nearest face", "this model, e = 0")  # what a D is trained for: the others are seen at a glance
AT_ONCE, BATCH = 16, 48
STEPS = {"matcher": 200, "D": 80}
TEMPERATURE = 0.1
Method = Callable[[Tensor, Tensor], Tensor]
"""x [B, C, S, S], M [B, 1, S, S] -> the anonymised faces, x outside M."""


def methods(model: Model, train: np.ndarray) -> dict[str, Method]:
    """Everything that is compared, by name; the original first."""
    copies = nearest(train)
    ours = {f"this model, e = {e:g}": anonymiser(model, e) for e in (0.0, *WEIGHTS)}
    return {
        "original": lambda x, M: x,
        "black": lambda x, M: complete(x, -torch.ones_like(x), M),
        "mosaic": lambda x, M: complete(x, F.interpolate(F.avg_pool2d(x, 8), scale_factor=8.0), M),
        "blur": lambda x, M: complete(x, blurred(x), M),
        "surroundings continued": lambda x, M: complete(x, continuation(x * (1 - M), M), M),
        "nearest face": lambda x, M: copies(x, M, torch.Generator()),
        **ours,
    }


def blurred(x: Tensor, sigma: float = 5.0) -> Tensor:
    """A Gaussian of a tenth of the face; its borders are mirrored."""
    t = torch.arange(-15.0, 16.0)
    kernel = (-0.5 * (t / sigma).square()).exp()
    row = (kernel / kernel.sum()).expand(x.shape[1], 1, 1, -1)
    padded = F.pad(x, (15, 15, 15, 15), "reflect")
    across = F.conv2d(padded, row, groups=x.shape[1])
    return F.conv2d(across, row.transpose(2, 3), groups=x.shape[1])


def anonymiser(model: Model, e: float) -> Method:
    """The command's fillings: a z per face, its sliders moved as in the first frame of a film."""

    def fill(x: Tensor, M: Tensor) -> Tensor:
        generator, parts = torch.Generator().manual_seed(0), []
        for face, region in zip(x.split(AT_ONCE), M.split(AT_ONCE), strict=True):
            z = model.latent(len(face), generator)
            if e:
                z = expressive(model, face, region, z, e)
            parts.append(model.complete(face, region, z))
        return torch.cat(parts)

    return fill


def disc(size: int, centre: tuple[float, float] = CENTRE, radius: float = RADIUS) -> Tensor:
    """M [1, 1, S, S]."""
    at = (torch.arange(size) + 0.5) * 64 / size
    inside = (at[:, None] - centre[0]).square() + (at - centre[1]).square() <= radius**2
    return inside.float()[None, None]


# --- who it was ---


def recognised(queries: Tensor, gallery: Tensor) -> Tensor:
    """Whether the most similar of a gallery [N, F] is what a query was made of: the first Q, of [Q, F]."""
    alike = F.normalize(queries, dim=1) @ F.normalize(gallery, dim=1).T
    return (alike.argmax(1) == torch.arange(len(queries))).float()


def pixels(x: Tensor) -> Tensor:
    """[B, F], centred: the cosine of two is their correlation."""
    flat = x.flatten(1)
    return flat - flat.mean(1, keepdim=True)


def tower() -> nn.Module:
    """Of a matcher: faces of 64 px -> [B, 64]."""
    widths, layers = [3, 24, 48, 64, 64], list[nn.Module]()
    for inputs, outputs in pairwise(widths):
        layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.GroupNorm(8, outputs), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 16, 64))


def matcher(made: Tensor, originals: Tensor) -> tuple[nn.Module, nn.Module]:
    """Two towers that bring an anonymised face near its original (InfoNCE, van den Oord et al. 2018), trained
    on pairs [N, C, S, S] and their mirror images."""
    torch.manual_seed(0)
    towers = tower(), tower()
    optimizer = torch.optim.Adam([p for net in towers for p in net.parameters()], lr=1e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(STEPS["matcher"]):
        rows = torch.randperm(len(made), generator=generator)[:BATCH]
        turn = (-1,) if torch.rand((), generator=generator) < 0.5 else ()
        query, key = (
            F.normalize(net(faces[rows].flip(turn)), dim=1)
            for net, faces in zip(towers, (made, originals), strict=True)
        )
        loss = F.cross_entropy(query @ key.T / TEMPERATURE, torch.arange(len(rows)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return towers


@torch.no_grad()
def embedded(net: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """[N, F]."""
    return torch.cat([net(part) for part in x.split(64)])


# --- that it was made ---


def detector(made: Tensor, originals: Tensor, model: Model) -> Callable[[Tensor], Tensor]:
    """A D of RoI-GAN's architecture that learns to tell made pictures [N, C, S, S] from originals; it is not
    told where the region is. Its scores [B]: higher is more made."""
    torch.manual_seed(0)
    params: Any = parse_model(model.config["model"], "config.json")
    D = Discriminator(model.image_size, model.channels, params)
    optimizer = torch.optim.Adam(D.parameters(), lr=2e-4, betas=(0.5, 0.99))
    generator = torch.Generator().manual_seed(0)

    def score(x: Tensor) -> Tensor:
        scores: Tensor = D(x, torch.ones_like(x[:, :1])).scores
        return scores.mean(1)

    for _ in range(STEPS["D"]):
        drawn = [faces[torch.randperm(len(faces), generator=generator)[:24]] for faces in (originals, made)]
        x = torch.cat(
            [part.flip(-1) if torch.rand((), generator=generator) < 0.5 else part for part in drawn]
        )
        truth = torch.arange(len(x)) >= len(drawn[0])
        loss = F.binary_cross_entropy_with_logits(score(x), truth.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return score


def average_precision(normal: Tensor, made: Tensor) -> tuple[float, float]:
    """AP and its standard error over 1,000 bootstrap draws; 0.5 is chance for as many of each."""
    weights = draws(len(normal), len(made), 1000, torch.Generator().manual_seed(0))
    return ranking(normal, made)["ap"].item(), ap_and_auroc(normal, made, weights)["ap"].std().item()


# --- the table ---


def share(values: Tensor) -> tuple[float, float]:
    """A mean and its standard error."""
    return values.mean().item(), values.std().item() / math.sqrt(len(values))


def record(rows: list[dict[str, Any]]) -> None:
    """Put rows into the table, in the place of those of the same measure and method."""
    table = pd.DataFrame(rows)
    if RESULTS.is_file():
        before = pd.read_csv(RESULTS)
        keys = set(zip(table["measure"], table["method"], strict=True))
        stays = [key not in keys for key in zip(before["measure"], before["method"], strict=True)]
        table = pd.concat([before[stays], table])
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(RESULTS, index=False, float_format="%.4g")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("model", "workspace", "prior"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--queries", type=int, default=150)
    parser.add_argument("--pairs", type=int, default=800)
    parser.add_argument("--only", nargs="+")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    model, prior, data = Model.load(asked.model), Model.load(asked.prior), asked.workspace / "data"
    judge = load_features(data / "judge")
    train, test = (load_split(data / "prepared", split) for split in ("train", "test"))
    gallery, learnt = to_float(test), to_float(train[: asked.pairs])
    x, another = gallery[: asked.queries], gallery[1 : asked.queries + 1]
    M, inner = disc(model.image_size), disc(model.image_size, *INNER)
    parts = {"region": M, "picture": torch.ones_like(M)}
    embeddings: dict[str, Callable[[Tensor], Tensor]] = {
        "pixels": pixels,
        "judge": lambda faces: judge.embed_images(to_uint8(faces)),
    }
    known = {
        (part, name): embed(gallery * seen)
        for part, seen in parts.items()
        for name, embed in embeddings.items()
    }
    matchers: dict[str, tuple[Tensor, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {}
    fresh: Callable[[Tensor], Tensor] | None = None
    for method, fill in methods(model, train[asked.pairs :]).items():
        if asked.only and method not in asked.only:
            continue
        y = fill(x, M.expand(len(x), -1, -1, -1))
        if method not in WITH_EXPRESSION:
            made = fill(learnt, M.expand(len(learnt), -1, -1, -1))
            seen = {"region": M, "eyes to mouth": inner} if method != "original" else {}
            matchers = {name: (of, *matcher(made * of, learnt * of)) for name, of in seen.items()}
            fresh = detector(made, learnt, model) if method in FACES else None
        found = {
            f"rank 1, {part}, {name}": share(recognised(embeddings[name](y * parts[part]), originals))
            for (part, name), originals in known.items()
        }
        for name, (of, *towers) in matchers.items():
            both = (embedded(net, faces * of) for net, faces in zip(towers, (y, gallery), strict=True))
            found[f"rank 1, {name}, matcher"] = share(recognised(*both))
        apart = distance(y, x, M) / distance(another, x, M).mean()
        found["expression, of another face's"] = share(apart)
        if method != "original":
            found["AP of a prior's D"] = average_precision(prior.score(x), prior.score(y))
        if fresh:
            found["AP of a fresh D"] = average_precision(embedded(fresh, x), embedded(fresh, y))
        rows = [
            {"measure": measure, "method": method, "value": value, "error": error, "n": len(x)}
            for measure, (value, error) in found.items()
        ]
        record(rows)
        print(pd.DataFrame(rows).to_string(index=False), flush=True)
    print(json.dumps(provenance(torch.device("cpu"))))


if __name__ == "__main__":
    exit_on_user_error(main)
