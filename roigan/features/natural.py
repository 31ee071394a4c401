"""A judge of colours: do those of a picture suit what it shows?

A small network that has seen real training images, and the same with colours that are turned, another
image's, or all but gone: never any method's. It looks at Lab at half the side, so that colours which were
made small and enlarged do not give themselves away.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from roigan.config import NaturalParams
from roigan.corruptions.corruption import SPACES
from roigan.features.fitting import fit
from roigan.files.tensors import save_tensors
from roigan.images.arrays import batches, load_split, to_float

LAB = SPACES["lab"]
FILE, ABOUT = "natural.safetensors", "natural.json"
BATCH = 64  # images at a time; bounds memory only


def turned(t: Tensor, generator: torch.Generator) -> Tensor:
    """Hues turned by 20 to 340 degrees; t: [B, 3, H, W], coordinates of the space `lab`, as below."""
    angle = math.radians(20) + math.radians(320) * torch.rand(len(t), 1, 1, generator=generator)
    L, a, b = t.unbind(1)
    return torch.stack([L, angle.cos() * a - angle.sin() * b, angle.sin() * a + angle.cos() * b], 1)


def borrowed(t: Tensor, generator: torch.Generator) -> Tensor:
    """The next image's colours."""
    return torch.cat([t[:, :1], t[:, 1:].roll(1, 0)], 1)


def drained(t: Tensor, generator: torch.Generator) -> Tensor:
    """Saturation times 0 to 0.2."""
    return torch.cat([t[:, :1], 0.2 * torch.rand(len(t), 1, 1, 1, generator=generator) * t[:, 1:]], 1)


# Wrong colours, not pale or blurred ones: a judge that has seen those as well looks at nothing else, and
# takes the mean of the 5 nearest images for worse than a random image's colours (docs/colour.md).
FAULTS: list[Callable[[Tensor, torch.Generator], Tensor]] = [turned, borrowed, turned, drained]


def miscoloured(t: Tensor, generator: torch.Generator) -> Tensor:
    """Each image with one of the faults, in turn; only colours that RGB has: [B, 3, H, W] -> the same."""
    out, order = t.clone(), torch.arange(len(t)) % len(FAULTS)
    for i, fault in enumerate(FAULTS):
        out[order == i] = fault(t, generator)[order == i]
    return LAB.to(LAB.back(out))


class Naturalness(nn.Module):
    """An image -> a score, higher = more natural."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        counts = [3, *(width * factor for factor in (1, 1, 2, 2, 4, 4))]
        for i, (inputs, outputs) in enumerate(pairwise(counts)):
            conv = nn.Conv2d(inputs, outputs, 3, stride=1 + i % 2, padding=1, bias=False)
            layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.score = nn.Linear(counts[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        """x: [B, 3, H, W] in [-1, 1]; returns [B]."""
        return self.of(LAB.to(x))

    def of(self, t: Tensor) -> Tensor:
        """The same of coordinates of the space `lab`."""
        maps = self.layers(F.avg_pool2d(t, 2))  # [B, 4w, H/16, W/16]
        scores: Tensor = self.score(maps.mean((2, 3)))[:, 0]
        return scores

    @torch.no_grad()
    def threshold(self, images: np.ndarray, share: float) -> float:
        """The score that so large a share of uint8 images [N, H, W, 3] has at least."""
        device = self.score.weight.device
        scores = torch.cat([self(x.to(device)) for x in batches(images, BATCH)])
        return scores.quantile(1 - share).item()


def make_natural(prepared: Path, params: NaturalParams, folder: Path) -> None:
    """Train on the prepared training images and write into a folder; the same bytes for the same seed."""
    images = np.asarray(load_split(prepared, "train"))
    torch.manual_seed(params.seed)
    generator = torch.Generator().manual_seed(params.seed)
    net = Naturalness(params.width)

    def loss() -> Tensor:
        picked = torch.randint(len(images), (params.batch_size,), generator=generator).numpy()
        t = LAB.to(to_float(images[picked]))
        flips = torch.rand(len(t), 1, 1, 1, generator=generator) < 0.5
        t = torch.where(flips, t.flip(3), t)
        scores = net.of(torch.cat([t, miscoloured(t, generator)]))
        real = torch.arange(2 * len(t)) < len(t)
        return F.binary_cross_entropy_with_logits(scores, real.float())

    fit(net, params.steps, params.lr, loss, "natural")
    save_tensors(net.state_dict(), folder / FILE)
    (folder / ABOUT).write_text(json.dumps({"width": params.width, "seed": params.seed}) + "\n")


def load_natural(folder: Path) -> Naturalness | None:
    """The judge that lies in a folder; None where there is none."""
    if not (folder / ABOUT).is_file():
        return None
    net = Naturalness(json.loads((folder / ABOUT).read_text())["width"])
    net.load_state_dict(load_file(folder / FILE))
    return net.requires_grad_(False).eval()
