"""The feature networks that ImageNet has trained: where their weights come from, and two of torchvision's.

`vgg16` (Simonyan and Zisserman 2015) and `inception` (v3, Szegedy et al. 2016) are torchvision's
architectures with its weights, from a local file (.pth or .safetensors) or downloaded; efficientnet.py has
the third. FID with these is comparable between runs of this project, not with papers: those use the weights
of another Inception.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torchvision
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from roigan.config import FeatureParams
from roigan.errors import UserError, brief
from roigan.features import efficientnet
from roigan.features.trunk import Trunk
from roigan.files import paths

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class ImageNetTrunk(Trunk):
    """Brings images into the form that ImageNet networks were trained on, and collects their maps."""

    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """x [B, 1 or 3, H, W] in [-1, 1] -> maps [B, c_l, h_l, w_l]; grey images are repeated to three
        channels."""
        x = x.expand(-1, 3, -1, -1)
        maps: list[Tensor] = self.body((x * 0.5 + 0.5 - self.mean) / self.std)
        return maps


class Vgg16(nn.Module):
    """All 13 ReLU maps of VGG16 (3.12)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])
        for layer in self.features:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # the maps are handed out

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for layer in self.features[:-1]:  # the last pooling follows the last map
            x = F.max_pool2d(x, 2, ceil_mode=True) if isinstance(layer, nn.MaxPool2d) else layer(x)
            if isinstance(layer, nn.ReLU):
                maps.append(x)
        return maps


class Inception(nn.Module):
    """Inception v3: the maps of its stem and of its eleven mixed blocks; the last one has 2,048 channels."""

    SIDE = 299

    def __init__(self) -> None:
        super().__init__()
        full = torchvision.models.inception_v3(weights=None, aux_logits=False, init_weights=False)
        self.blocks = nn.ModuleDict(
            {name: block for name, block in full.named_children() if name not in ("avgpool", "dropout", "fc")}
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.interpolate(
            x, size=(self.SIDE, self.SIDE), mode="bilinear", align_corners=False, antialias=True
        )
        maps = []
        for name, block in self.blocks.items():
            x = block(x)
            if not name.startswith("maxpool"):
                maps.append(x)
        return maps


WEIGHTS = {
    "vgg16": torchvision.models.VGG16_Weights.IMAGENET1K_V1,
    "inception": torchvision.models.Inception_V3_Weights.IMAGENET1K_V1,
}
TRUNKS: dict[str, Callable[[int], Trunk]] = {
    "vgg16": lambda side: ImageNetTrunk(Vgg16()),
    "inception": lambda side: ImageNetTrunk(Inception()),
    **{name: partial(efficientnet.EfficientNetLite, name) for name in efficientnet.BLOCKS},
}
NAMES: dict[str, Callable[[dict[str, Tensor]], dict[str, Tensor]]] = {
    "vgg16": lambda weights: {f"body.{key}": tensor for key, tensor in weights.items()},
    "inception": lambda weights: {f"body.blocks.{key}": tensor for key, tensor in weights.items()},
    **dict.fromkeys(efficientnet.BLOCKS, efficientnet.folded),
}
"""From what lies in a file to the names of ours."""


def build(name: str, side: int) -> Trunk:
    """The network without its weights; side: of the images that EfficientNet sees."""
    return TRUNKS[name](side)


def load(params: FeatureParams) -> Trunk:
    """The network with weights from a file; where `path` is None, from its package or downloaded.

    Raises UserError where neither works.
    """
    name, path = params.network, params.path
    if path is not None:
        weights = read_weights(paths.home() / Path(path).expanduser())
    elif name in WEIGHTS:
        weights = _download(name)
    else:
        weights = read_weights(efficientnet.weights_file(name))
    trunk = build(name, params.side)
    wanted = trunk.state_dict()
    found = NAMES[name](weights)
    for key, tensor in wanted.items():
        if key not in found or found[key].shape != tensor.shape:
            raise UserError(f"features.path: {path} does not hold {name} ({key} is missing or differs)")
    trunk.load_state_dict({key: found[key] for key in wanted})
    return trunk


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file. Raises UserError where it is missing or damaged."""
    if not path.is_file():
        raise UserError(
            f"features.path: {path} does not exist; give a weights file, or use features.network=local"
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged file makes of a reader
        reason = brief(error).split(". ")[0]  # what torch says next is how to run what lies in the file
        raise UserError(f"features.path: {path} is not a readable weights file ({reason})") from None
    return weights


def _download(name: str) -> dict[str, Tensor]:
    try:
        weights: dict[str, Tensor] = WEIGHTS[name].get_state_dict(
            progress=True, check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as error:  # URLError is an OSError; a wrong hash is a RuntimeError
        raise UserError(
            f"the weights of {name} cannot be downloaded ({brief(error)}); set features.path to a "
            "file that holds them, or use features.network=local"
        ) from None
    return weights
