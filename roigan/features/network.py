"""Feature networks: what the perceptual loss, FID and KID look at images through.

`local` is trained on the prepared images (local.py); `efficientnet_lite0` and `efficientnet_lite1` have
ImageNet weights that come as packages (efficientnet.py); `vgg16` and `inception` are torchvision's
(pretrained.py). They are calibrated alike on training images: every map is divided by its mean absolute
value, so that one weight of the perceptual loss means the same for all of them.

There are two of them, for two tasks: what a training has looked through cannot judge it (`evaluate.judge`).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from roigan.config import FeatureParams, Params
from roigan.errors import UserError
from roigan.features import efficientnet
from roigan.features.classes import make_teacher
from roigan.features.local import LocalTrunk, train_local
from roigan.features.natural import Naturalness, load_natural, make_natural
from roigan.features.trunk import Trunk
from roigan.files import paths
from roigan.files.tensors import save_tensors, sha256_of
from roigan.images.arrays import batches, load_labels, load_split, load_statistics

CALIBRATION_IMAGES = 1024
BATCH = 64  # images at a time; bounds memory only


class FeatureNetwork(nn.Module):
    """A frozen network with calibrated maps and embeddings.

    name: as in params.yaml; sha256: of the weights file ("" before it is saved).
    """

    scales: Tensor
    centre: Tensor
    spread: Tensor

    def __init__(self, name: str, trunk: Trunk, sha256: str = "") -> None:
        super().__init__()
        self.name, self.trunk, self.sha256 = name, trunk, sha256
        self.natural: Naturalness | None = None  # the judge of colours that lies beside it
        with torch.no_grad():
            maps = trunk(torch.zeros(1, trunk.channels, 64, 64))
        features = sum(maps[i].shape[1] for i in trunk.pooled)
        self.register_buffer("scales", torch.ones(len(maps)))
        self.register_buffer("centre", torch.zeros(features))
        self.register_buffer("spread", torch.ones(features))
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> FeatureNetwork:
        """A part of a training model, yet never in training mode itself."""
        return super().train(False)

    def maps(self, x: Tensor) -> list[Tensor]:
        """x [B, C, H, W] in [-1, 1] -> maps [B, c_l, h_l, w_l] with a mean size of about 1, differentiable
        in x."""
        return [m / scale for m, scale in zip(self.trunk(x), self.scales, strict=True)]

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.scales.device

    def embed(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] in [-1, 1] -> [B, F], the last map or maps averaged over the image.

        For `local` and EfficientNet each feature is standardised on the training images (mean 0,
        variance 1); the others keep the scale that papers use.
        """
        return self.embedding(self.maps(x))

    def embedding(self, maps: list[Tensor]) -> Tensor:
        """The embedding [B, F] that belongs to the result of `maps`."""
        return (_pooled(self.trunk, maps, self.scales) - self.centre) / self.spread

    @torch.no_grad()
    def embed_images(self, images: np.ndarray) -> Tensor:
        """uint8 [N, H, W, C] -> features [N, F] on the CPU."""
        device = self.scales.device
        return torch.cat([self.embed(x.to(device)) for x in batches(images, BATCH)]).cpu()


def _pooled(trunk: Trunk, maps: list[Tensor], scales: Tensor) -> Tensor:
    return torch.cat([maps[i].mean((2, 3)) * scales[i] for i in trunk.pooled], 1)


def calibrate(network: FeatureNetwork, images: np.ndarray) -> None:
    """Set the scales of the maps (and of the embedding, where it has any) from uint8 images [N, H, W, C]."""
    sums = torch.zeros(len(network.scales), dtype=torch.float64)
    ones, pooled = torch.ones_like(network.scales), []
    with torch.no_grad():
        for x in batches(images, BATCH):
            maps = network.trunk(x)
            sums += torch.stack([m.abs().mean((1, 2, 3)).sum() for m in maps]).double()
            pooled.append(_pooled(network.trunk, maps, ones))
    network.scales.copy_((sums / len(images)).clamp_min(1e-6))
    if network.trunk.standardised:
        e = torch.cat(pooled)
        network.centre.copy_(e.mean(0))
        network.spread.copy_(e.std(0).clamp_min(0.01 * e.std(0).max()))  # a dead feature stays small


def make_features(prepared: Path, params: FeatureParams, folder: Path) -> FeatureNetwork:
    """Train or fetch a network, calibrate it on the training images and save it into `folder`.

    prepared: output of the stage `prepare`. Raises UserError where weights cannot be had.
    """
    images = load_split(prepared, "train")
    about: dict[str, Any] = {"network": params.network, "channels": images.shape[-1]}
    if params.network == "local":
        local, accuracy = train_local(np.asarray(images), _classes(prepared), params)
        about |= {"width": params.width, "seed": params.seed, "accuracy": round(accuracy, 4)}
        network = FeatureNetwork("local", local)
    else:
        from roigan.features import pretrained  # torchvision takes seconds to import

        if params.network in efficientnet.BLOCKS:
            about |= {"side": params.side}
        network = FeatureNetwork(params.network, pretrained.load(params))
    count = min(len(images), CALIBRATION_IMAGES)
    spaced = np.linspace(0, len(images) - 1, count).astype(int)
    calibrate(network, np.asarray(images[spaced]))
    about["trained_on"] = load_statistics(prepared)["data"]
    _save(network, about, folder)
    return network


def make_networks(root: Path, params: Params) -> tuple[FeatureNetwork, FeatureNetwork]:
    """The network that a training looks through, and the one that judges it, of a project's prepared images.

    Without `evaluate.judge` the second is a copy of the first.
    """
    prepared = root / paths.PREPARED
    network = make_features(prepared, params.features, root / paths.FEATURES)
    if params.evaluate.judge:
        judge = make_features(prepared, params.evaluate.judge, root / paths.JUDGE)
    else:
        shutil.copytree(root / paths.FEATURES, root / paths.JUDGE, dirs_exist_ok=True)
        judge = load_features(root / paths.JUDGE)
    make_teacher(prepared, network, params.features, root / paths.FEATURES)
    if params.evaluate.natural:
        make_natural(prepared, params.evaluate.natural, root / paths.JUDGE)
    return network, judge


def _classes(prepared: Path) -> np.ndarray | None:
    """The classes of the training images, int64 [N] from 0 without gaps; None where they tell nothing, or
    where they say what is normal: a detector's rival must not know more than the detector."""
    labels = load_labels(prepared, "train")
    if labels is None or load_statistics(prepared).get("divided"):
        return None
    found, classes = np.unique(labels, return_inverse=True)
    return classes.astype(np.int64) if len(found) > 1 else None


def _save(network: FeatureNetwork, about: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "network.safetensors"
    save_tensors(network.state_dict(), weights)
    network.sha256 = about["sha256"] = sha256_of(weights)
    (folder / "config.json").write_text(json.dumps(about, indent=2) + "\n")


def load_features(folder: Path) -> FeatureNetwork:
    """The network that the stage `features` has written.

    Raises UserError where it is missing, damaged, or not the file that config.json names.
    """
    folder = Path(folder)
    weights = folder / "network.safetensors"
    try:
        about = json.loads((folder / "config.json").read_text())
        sha256 = sha256_of(weights)
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename} does not exist; run the stage `features` first (dvc repro features)"
        ) from None
    except ValueError:
        raise UserError(f"{folder / 'config.json'} is damaged; run dvc repro -f features") from None
    if sha256 != about["sha256"]:
        raise UserError(f"{weights} is not the network that config.json describes; run dvc repro -f features")
    if about["network"] == "local":
        trunk: Trunk = LocalTrunk(about["channels"], about["width"])
    else:
        from roigan.features import pretrained

        trunk = pretrained.build(about["network"], about.get("side", 128))  # older folders do not say it
    network = FeatureNetwork(about["network"], trunk, sha256)
    network.load_state_dict(load_file(weights))
    network.natural = load_natural(folder)
    return network
