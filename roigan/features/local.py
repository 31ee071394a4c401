"""The feature network `local`: trained on the prepared images alone, in about a minute on two cores.

Every training image is turned by a multiple of 90 degrees, and one irregular region of it is spoilt. The
network says which turn it was (Gidaris et al. 2018; the class instead, where the images carry labels) and,
for every cell of an 8-pixel grid, what was done to it. The first question needs the arrangement of things,
the second one the difference between blur, noise, flat colour and real structure: what FID is asked to see
in a completed region. Regions copied unspoilt from another image count as real, so that the network looks
at content rather than at seams.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from roigan.config import FeatureParams
from roigan.features.fitting import fit
from roigan.features.trunk import Trunk
from roigan.images.arrays import to_float

STRIDE = 8  # of the last map: side of a cell in pixels


class LocalTrunk(Trunk):
    """Six 3x3 convolutions in three stages of stride 2; the maps after every ReLU."""

    standardised = True

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.channels = channels
        self.widths = [width * factor for factor in (1, 1, 2, 2, 4, 4)]
        inputs = [channels, *self.widths[:-1]]
        self.convs = nn.ModuleList(
            nn.Conv2d(inputs[i], self.widths[i], 3, stride=2 - i % 2, padding=1) for i in range(len(inputs))
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """x [B, C, H, W] in [-1, 1] -> six maps, [B, w, H/2, W/2] to [B, 4w, H/8, W/8]."""
        maps = []
        for conv in self.convs:
            x = F.relu(conv(x))
            maps.append(x)
        return maps


class PretextNetwork(nn.Module):
    """The trunk as it is trained: with batch normalisation, and with the two heads."""

    def __init__(self, trunk: LocalTrunk, classes: int) -> None:
        super().__init__()
        self.convs = trunk.convs
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in trunk.widths)
        features = trunk.widths[-1]
        self.what = nn.Linear(features, classes)
        self.where = nn.Conv2d(features, len(SPOILERS) + 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, C, H, W] -> logits [B, classes] of the image, [B, spoilers + 1, H/8, W/8] of its cells."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu(norm(conv(x)))
        return self.what(x.mean((2, 3))), self.where(x)

    def folded(self, trunk: LocalTrunk) -> None:
        """Move the batch normalisation into the trunk's convolutions, which then need none."""
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            trunk.convs[i] = nn.utils.fuse_conv_bn_eval(conv.eval(), norm.eval())


def blobs(n: int, size: int, generator: torch.Generator) -> Tensor:
    """Irregular regions: smooth noise above a random level. [n, 1, size, size] in {0, 1}."""
    coarse = torch.randn(n, 1, 4, 4, generator=generator)
    smooth = F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True)
    level = torch.rand(n, 1, 1, 1, generator=generator)
    return (smooth > level).float()


def _box(x: Tensor, side: int) -> Tensor:
    return F.avg_pool2d(x, side, stride=1, padding=side // 2, count_include_pad=False)


def _side(x: Tensor, share: float) -> int:
    """An odd number of pixels, at least 3: the share of the image's side."""
    return max(3, 2 * round(x.shape[-1] * share / 2) + 1)


def blurred(x: Tensor, R: Tensor, generator: torch.Generator) -> Tensor:
    """Each image blurred a little or much."""
    much = torch.rand(len(x), 1, 1, 1, generator=generator)
    weak = _box(_box(x, 3), 3)
    return torch.lerp(weak, _box(_box(x, _side(x, 0.1)), _side(x, 0.1)), much)


def smeared(x: Tensor, R: Tensor, generator: torch.Generator) -> Tensor:
    """Filled smoothly from around the region: what an inpainting without content does."""
    filled, weight = x * (1 - R), 1 - R
    for share in (0.1, 0.25, 0.5):  # the narrowest window that reaches known pixels decides
        side = _side(x, share)
        near, reach = _box(filled, side), _box(weight, side)
        value = near / reach.clamp_min(1e-6)
        filled = torch.where(weight > 0, filled, value * (reach > 0))
        weight = torch.where(weight > 0, weight, (reach > 0).float())
    return torch.where(R > 0, _box(filled, 3), x)


def noisy(x: Tensor, R: Tensor, generator: torch.Generator) -> Tensor:
    """White noise of standard deviation 0.1 to 0.6 is added."""
    sigma = 0.1 + 0.5 * torch.rand(len(x), 1, 1, 1, generator=generator)
    return x + sigma * torch.randn(x.shape, generator=generator)


def occluded(x: Tensor, R: Tensor, generator: torch.Generator) -> Tensor:
    """A flat colour."""
    return (2 * torch.rand(len(x), x.shape[1], 1, 1, generator=generator) - 1).expand_as(x)


def scrambled(x: Tensor, R: Tensor, generator: torch.Generator) -> Tensor:
    """Every pixel taken from a random place nearby: the colours of the region without its structure."""
    B, _, H, W = x.shape
    reach = _side(x, 0.1) / W
    unit = torch.eye(2, 3).expand(B, 2, 3)
    grid = F.affine_grid(unit, [B, 1, H, W], align_corners=False)  # [B, H, W, 2] in [-1, 1]
    shift = (2 * torch.rand(grid.shape, generator=generator) - 1) * reach
    return F.grid_sample(x, grid + shift, mode="nearest", padding_mode="reflection", align_corners=False)


Spoiler = Callable[[Tensor, Tensor, torch.Generator], Tensor]
"""(x [B, C, H, W], region R [B, 1, H, W], generator) -> images of which the part in R is used."""

SPOILERS: list[Spoiler] = [blurred, smeared, noisy, occluded, scrambled]


def corrupt(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Copy a region from the next image of the batch, then spoil another one.

    x [B, C, H, W] -> (images [B, C, H, W], share of every cell that each class covers [B, spoilers + 1,
    H/8, W/8]); class 0 is unspoilt.
    """
    B, S = len(x), x.shape[-1]
    x = torch.lerp(x, x.roll(1, 0), blobs(B, S, generator) * (torch.arange(B) % 2).view(B, 1, 1, 1))
    R = blobs(B, S, generator)  # [B, 1, S, S]
    order = torch.arange(B) % len(SPOILERS)  # equally often; the images themselves are drawn at random
    out = x.clone()
    for i, spoiler in enumerate(SPOILERS):
        mine = order == i
        out[mine] = torch.where(R[mine] > 0, spoiler(x[mine], R[mine], generator), x[mine])
    covered = F.avg_pool2d(R, STRIDE, ceil_mode=True)  # [B, 1, S/8, S/8]; 28 px end in half a cell
    cells = F.one_hot(order + 1, len(SPOILERS) + 1).view(B, -1, 1, 1) * covered
    cells[:, :1] = 1 - covered
    return out, cells


def turn(x: Tensor, quarters: Tensor) -> Tensor:
    """Rotate image i by quarters[i] times 90 degrees."""
    return torch.stack([torch.rot90(image, int(q), (1, 2)) for image, q in zip(x, quarters, strict=True)])


def train_local(
    images: np.ndarray, labels: np.ndarray | None, params: FeatureParams
) -> tuple[LocalTrunk, float]:
    """Train on uint8 images [N, H, W, C], with labels [N] (integers from 0) or None.

    Returns the trunk, normalisation folded in, and the accuracy of the first head over the last tenth of the
    steps. The same bytes for the same seed on the same machine.
    """
    torch.manual_seed(params.seed)
    generator = torch.Generator().manual_seed(params.seed)
    trunk = LocalTrunk(images.shape[-1], params.width)
    classes = 4 if labels is None else int(labels.max()) + 1
    pretext = PretextNetwork(trunk, classes).to(memory_format=torch.channels_last)
    hits: list[float] = []

    def loss() -> Tensor:
        picked = torch.randint(len(images), (params.batch_size,), generator=generator).numpy()
        x = to_float(images[picked])  # [B, C, S, S]
        flips = torch.rand(len(x), 1, 1, 1, generator=generator) < (0.5 if labels is None else 0.0)
        x = torch.where(flips, x.flip(3), x)
        if labels is None:
            answer = torch.randint(4, (len(x),), generator=generator)
            x = turn(x, answer)
        else:
            answer = torch.from_numpy(labels[picked])
        x, cells = corrupt(x, generator)
        what, where = pretext(x.contiguous(memory_format=torch.channels_last))
        hits.append((what.argmax(1) == answer).float().mean().item())
        return F.cross_entropy(what, answer) + F.cross_entropy(where, cells)

    fit(pretext, params.steps, params.lr, loss, "features")
    pretext.folded(trunk)
    return trunk, float(np.mean(hits[-max(1, params.steps // 10) :]))
