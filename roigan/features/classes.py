"""What an image shows, as a distribution over classes: teachers that need no download.

`labels` are the data's own; `clusters` are k-means of the feature network's embedding, where an image belongs
to each by its distance; `imagenet` is EfficientNet-Lite0 with its own 1,000 classes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from roigan.config import FeatureParams
from roigan.errors import UserError
from roigan.features import efficientnet
from roigan.files.tensors import save_tensors
from roigan.images.arrays import load_labels, load_split

if TYPE_CHECKING:
    from roigan.features.network import FeatureNetwork

FILE, ABOUT = "classes.safetensors", "classes.json"
SMOOTHING = 0.05  # of a label's probability, spread over all classes
ENTROPY = 1.0  # nats of an image's distribution over clusters, on the average
BISECTIONS = 40
SHARE = 20  # images per cluster, at the least


class Teacher(nn.Module):
    """Knows `classes` classes; nothing in it is trained."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def train(self, mode: bool = True) -> Teacher:
        """Never in training mode."""
        return super().train(False)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """x [B, C, H, W] in [-1, 1], labels int64 [B] or None -> y_v [B, classes]."""
        raise NotImplementedError


class Labels(Teacher):
    """The label, nearly certain."""

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """See `Teacher`."""
        assert labels is not None  # the stage `features` has looked
        certain = F.one_hot(labels, self.classes).to(x.dtype)
        return (1 - SMOOTHING) * certain + SMOOTHING / self.classes


class Clusters(Teacher):
    """softmax(-sharpness |e - centre|^2) of the embedding e."""

    def __init__(self, classes: int, network: FeatureNetwork) -> None:
        super().__init__(classes)
        self.looks = network.embed  # not a child: it is saved by itself
        width = len(network.centre)
        self.centres: Tensor
        self.sharpness: Tensor
        self.register_buffer("centres", torch.zeros(classes, width))
        self.register_buffer("sharpness", torch.ones(()))

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """See `Teacher`."""
        with torch.no_grad():
            return self.of(self.looks(x).float())

    def of(self, embedded: Tensor) -> Tensor:
        """[B, F] -> [B, classes]."""
        return F.softmax(-self.sharpness * torch.cdist(embedded, self.centres).square(), 1)

    def fit(self, embedded: Tensor, seed: int) -> None:
        """Find the centres, and the sharpness at which images belong to clusters with ENTROPY."""
        from sklearn.cluster import KMeans

        found = KMeans(self.classes, n_init=1, random_state=seed).fit(embedded.numpy())
        self.centres.copy_(torch.from_numpy(found.cluster_centers_))
        low, high = -20.0, 20.0  # of log sharpness; the entropy falls with it
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            self.sharpness.fill_(np.exp(middle))
            low, high = (middle, high) if entropy(self.of(embedded)).mean() > ENTROPY else (low, middle)


class ImageNet(Teacher):
    """EfficientNet-Lite0 with its head and classifier."""

    def __init__(self, classes: int = efficientnet.CLASSES) -> None:
        super().__init__(classes)
        self.network = efficientnet.Classifier()

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """See `Teacher`."""
        with torch.no_grad():
            return F.softmax(self.network(x).float(), 1)


def entropy(p: Tensor) -> Tensor:
    """In nats; p: [..., classes] -> [...]."""
    return torch.special.entr(p).sum(-1)


def make_teacher(prepared: Path, network: FeatureNetwork, params: FeatureParams, folder: Path) -> None:
    """Write the teacher that params ask for, beside the network that it may look through.

    Raises UserError where labels are missing, images too few for the clusters, or weights.
    """
    if params.classes is None:
        return
    images, labels = load_split(prepared, "train"), load_labels(prepared, "train")
    teacher: Teacher
    if params.classes == "labels":
        if labels is None or not labels.any():
            raise UserError(
                "features.classes is labels, but the data has none; take clusters, or put the pictures of "
                "every class into a folder of its own"
            )
        teacher = Labels(int(labels.max()) + 1)
    elif params.classes == "clusters":
        if params.clusters * SHARE > len(images):
            raise UserError(
                f"features.clusters is {params.clusters}, more than a twentieth of the {len(images)} "
                f"training images; take at most {len(images) // SHARE}"
            )
        clusters = teacher = Clusters(params.clusters, network)
        clusters.fit(network.embed_images(np.asarray(images)), params.seed)
    else:
        from roigan.features import pretrained  # torchvision takes seconds to import

        imagenet = teacher = ImageNet()
        weights = pretrained.read_weights(efficientnet.weights_file("efficientnet_lite0"))
        imagenet.network.load_state_dict(efficientnet.folded_classifier(weights))
    save_tensors(teacher.state_dict(), folder / FILE)
    (folder / ABOUT).write_text(json.dumps({"kind": params.classes, "classes": teacher.classes}) + "\n")


def load_teacher(folder: Path, network: FeatureNetwork, device: torch.device | str = "cpu") -> Teacher | None:
    """What `make_teacher` has written beside the network; None where it was not asked to."""
    if not (folder / ABOUT).is_file():
        return None
    about = json.loads((folder / ABOUT).read_text())
    kinds: dict[str, Callable[[int], Teacher]] = {
        "labels": Labels,
        "clusters": lambda classes: Clusters(classes, network),
        "imagenet": ImageNet,
    }
    teacher = kinds[about["kind"]](about["classes"])
    teacher.load_state_dict(load_file(folder / FILE))
    return teacher.requires_grad_(False).eval().to(device)
