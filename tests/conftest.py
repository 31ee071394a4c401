"""Shared by all tests: parameters and data of a small run."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.workspace import write
from roigan.config import Params, changed, load_params, presets, prior_params
from roigan.corruptions.cache import save_cache
from roigan.corruptions.sampling import sample
from roigan.features.network import make_networks
from roigan.files import paths
from roigan.systems.by_name import SYSTEMS
from roigan.systems.interface import Given
from roigan.systems.model import Model
from roigan.systems.states import State
from tests import stage

if TYPE_CHECKING:
    from tests.bucket import Bucket

ROOT = Path(__file__).parent.parent

Small = Callable[..., Params]
"""What the fixture `small` is."""

# Behind `nohup` or `&` it is ignored, by every process that a test starts as well: Ctrl-C would do nothing.
signal.signal(signal.SIGINT, signal.default_int_handler)

# changes that make `small` another system's
GLCIC: dict[str, Any] = {"model": {"system": "glcic", "width": 0.125}, "losses": {}}
PIXELWISE: dict[str, Any] = {"model": {"system": "pixelwise", "width": 0.125}, "losses": {}}
DCGAN: dict[str, Any] = {
    "model": {"system": "dcgan", "width": 0.125},
    "losses": {},
    "masks.train": {"whole": 1},
    "masks.evaluate": ["whole"],
    "gates": [],
}
WGAN: dict[str, Any] = DCGAN | {"model": {"system": "wgan", "width": 0.125}, "train.turns_d": 3}
HISTORY_AD: dict[str, Any] = DCGAN | {
    "model": {"system": "history_ad", "width": 0.125, "past": {"images": 96}},
    "prior": {
        "model": {"system": "wgan", "width": 0.125},
        "losses": {},
        "train": {"steps": 6, "history": {"states": 3}},
    },
}
IGAN: dict[str, Any] = DCGAN | {
    "model": {"system": "igan", "width": 0.125},
    "losses": {"alpha": 0.1},
    "prior": {"model": DCGAN["model"], "losses": {}},
}
CONDITIONAL: dict[str, Any] = {
    "model": {"system": "conditional_dcgan", "known_rows": 12, "width": 0.125},
    "losses": {},
    "masks.train": {"top": 1},
    "masks.evaluate": ["top"],
    "masks.known_share": 12 / 32,
    "train.turns_g": 2,
    "gates": [],
}
COLOURING: dict[str, Any] = CONDITIONAL | {
    "model": {"system": "conditional_dcgan", "space": "lab", "known_rows": 0, "width": 0.125},
    "masks.train": {"grey": 1},
    "masks.evaluate": ["grey"],
}
RECOLOUR: dict[str, Any] = {"model.space": "lab"}
CHROMAGAN: dict[str, Any] = {
    "model": {"system": "chromagan", "width": 0.125},
    "losses": {},
    "features.classes": "labels",
    "masks.train": {"grey": 1},
    "masks.evaluate": ["grey"],
    "control.mask": "grey",
    "gates": [],
}
GAN: dict[str, Any] = {
    "model": {"system": "pixelwise", "condition": False, "width": 0.125},
    "losses": {"lam": 0.0},
}


def given(params: Params, perceptual: Any = None, dtype: torch.dtype = torch.float32) -> Given:
    """What a system is built on: where it wants one, a prior that nobody trained, with a past of three."""
    below = prior_params(params)
    if below is None:
        return Given(perceptual)
    size, channels = params.data.image_size, params.data.channels
    past = []
    for seed in range(4):
        torch.manual_seed(seed)
        nets = SYSTEMS[below.model.system](below, Given(None)).nets
        for net in nets.values():
            net.to(dtype)
        past.append(State(seed, {name: net.state_dict() for name, net in nets.items()}))
    config = {"model": below.model.model_dump(), "image_size": size, "channels": channels}
    prior = Model(nets, config | {"weights_sha256": "0"})
    images = torch.from_numpy(drawn_faces(64, size, 0)[..., :channels])
    return Given(perceptual, prior, past[:3], images)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes come first: none must be left for the end, when one core works alone."""
    ray, slow = ({item.path for item in items if item.get_closest_marker(name)} for name in ("ray", "slow"))
    items.sort(key=lambda item: (item.path not in ray, item.path not in slow))


@pytest.fixture(autouse=True)
def _one_thread() -> None:  # small tensors: a second thread costs more than it brings
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """small(train__steps=3, ...): presets/photos64.yaml at 32 px, narrow, in-process, with changes."""
    file = tmp_path_factory.mktemp("params") / "params.yaml"
    shutil.copyfile(ROOT / "params.yaml", file)
    presets.apply(ROOT / "presets/photos64.yaml", file)

    def make(**changes: Any) -> Params:
        narrow = {
            "data.image_size": 32,
            "model.width": 0.125,
            "features.width": 4,
            "features.steps": 4,
            "features.batch_size": 8,
            "evaluate.judge": None,
            "masks.count": 8,
            "masks.evaluate": ["ellipse", "rectangle", "mixture"],
            "train.steps": 8,
            "train.batch_size": 8,
            "train.num_workers": 0,
            "train.precision": "fp32",
        }
        wanted = {key.replace("__", "."): value for key, value in changes.items()}
        return changed(load_params(file), narrow | wanted)

    return make


def drawn_faces(count: int, size: int, seed: int) -> np.ndarray:
    """Images with structure and colour, of nobody: a disc with two eyes on a shaded ground; uint8
    [count, size, size, 3]."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size - 0.5
    images = []
    for _ in range(count):
        ground, skin = random.uniform(40, 215, (2, 3))
        cx, cy = random.uniform(-0.1, 0.1, 2)
        picture = ground * (0.8 + 0.4 * (x + 0.5))[..., None]
        picture[(x - cx) ** 2 + (y - cy) ** 2 < 0.1] = skin
        for side in (-1, 1):
            picture[(x - cx - side * 0.12) ** 2 + (y - cy + 0.08) ** 2 < 0.003] = 20
        images.append(picture + random.normal(0, 3, picture.shape))
    return np.clip(images, 0, 255).astype(np.uint8)


def lay_out(folder: Path, params: Params) -> Path:
    """What the stages before `train` write, for a small data set, in a folder."""
    sizes = {"train": 24, "val": 10, "test": 16}
    size = params.data.image_size
    prepared = folder / paths.PREPARED
    prepared.mkdir(parents=True)
    hashes = {}
    for number, (split, count) in enumerate(sizes.items()):
        images = drawn_faces(count, size, number)
        np.save(prepared / f"{split}.npy", images)
        hashes[split] = hashlib.sha256(images.tobytes()).hexdigest()
    data = hashlib.sha256("".join(hashes.values()).encode()).hexdigest()[:16]
    statistics = {
        "source": "photos", "image_size": size, "channels": 3, "counts": sizes, "mean": [0.5] * 3,
        "std": [0.2] * 3, "sha256": hashes, "data": data, "rejected": 0, "labels": None,
    }  # fmt: skip
    (prepared / "statistics.json").write_text(json.dumps(statistics))
    for number, family in enumerate(params.masks.evaluate):
        M = sample(family, params.masks.count, size, torch.Generator().manual_seed(number))
        save_cache(folder / paths.MASKS / f"{family}.npz", M)
        save_cache(folder / paths.TRAINING_MASKS / f"{family}.npz", M)
    pd.DataFrame({"split": [], "index": [], "label": []}).to_parquet(prepared / "manifest.parquet")
    make_networks(folder, params)
    return folder


@pytest.fixture(scope="session")
def prepared(small: Small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder as it is before the stage `train`; not to be written to (copy it)."""
    return lay_out(tmp_path_factory.mktemp("prepared"), small())


@pytest.fixture
def two_workers(prepared: Path, small: Small, tmp_path: Path) -> Path:
    """A prepared project whose parameters ask for a group of two ranks and sixteen epochs."""
    return _two_workers(prepared, small, tmp_path)


@pytest.fixture(scope="session")
def undisturbed(prepared: Path, small: Small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`two_workers` after its training; not to be written to."""
    project = _two_workers(prepared, small, tmp_path_factory.mktemp("undisturbed"))
    stage.finish(project, stage.start(project))
    return project


def _two_workers(prepared: Path, small: Small, folder: Path) -> Path:
    shutil.copytree(prepared, folder, dirs_exist_ok=True)
    write(folder, small(train__num_workers=2, train__steps=stage.EVERY_EPOCH[-1]))
    return folder


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database, to be copied: making its tables takes seconds, a copy nothing."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """An empty bucket of an S3 in this process, whose keys lie in the environment."""
    from tests import bucket as s3

    for name, value in s3.KEYS.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    served = s3.Bucket()
    yield served
    served.stop()
