"""DCGAN: the counts of the essay's table, shapes, and the way through the pipeline by the verb `generate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

from roigan.cli import main as cli
from roigan.config import MetricName, Params, RankingName
from roigan.config.systems.dcgan import DCGANModel
from roigan.corruptions.sampling import sample
from roigan.errors import UserError
from roigan.evaluation.generation import copies, mean, measure
from roigan.evaluation.metrics.records import CONSTRAINTS, METRICS, RANKING
from roigan.features.network import load_features
from roigan.files import paths
from roigan.images.arrays import load_split, to_uint8
from roigan.inference.generate import generate_images
from roigan.systems.dcgan.system import Discriminator, Generator
from roigan.systems.model import Model, save_model
from roigan.training.loop import train
from roigan.training.worker import Worker
from tests.conftest import DCGAN


def test_parameter_counts_of_the_table() -> None:
    full = DCGANModel(system="dcgan", width=1.0)
    assert sum(p.numel() for p in Generator(64, 3, full).parameters()) == 5_134_915
    assert sum(p.numel() for p in Discriminator(64, 3, full).parameters()) == 4_315_649


@pytest.mark.parametrize("size", [16, 28, 32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(size: int, channels: int) -> None:
    model = DCGANModel(system="dcgan", width=0.125)
    image = Generator(size, channels, model)(torch.randn(2, 100))
    assert image.shape == (2, channels, size, size)
    assert Discriminator(size, channels, model)(image).shape == (2,)


def test_the_length_of_z_matters() -> None:
    torch.manual_seed(0)
    G, z = Generator(16, 1, DCGANModel(system="dcgan", width=0.125)), torch.randn(2, 100)
    assert not torch.allclose(G(z), G(2 * z))


@pytest.fixture(scope="module")
def trained(
    small: Callable[..., Params], prepared: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Params, Path]:
    """The parameters and the model folder of four steps."""
    params = small(**DCGAN, train__steps=4)
    scratch = tmp_path_factory.mktemp("dcgan")
    assert train(params, Worker("dcgan", prepared, lambda row, folder: None, scratch)) is None
    return params, scratch / "model"


def test_both_networks_are_kept_and_generate_the_same_again(trained: tuple[Params, Path]) -> None:
    _, folder = trained
    assert {path.name for path in folder.iterdir()} == {
        "generator.safetensors", "discriminator.safetensors", "config.json",
    }  # fmt: skip
    model = Model.load(folder)
    images = generate_images(model, [3, 4])
    assert images.shape == (2, 3, 32, 32)
    alone = generate_images(model, [4])[0]
    assert torch.allclose(alone, images[1], atol=1e-5)  # as in a batch, but for the order of sums
    assert torch.equal(alone, generate_images(model, [4])[0])
    assert model.score(images).shape == (2,)


def test_what_it_cannot_do_is_said(trained: tuple[Params, Path]) -> None:
    model, x = Model.load(trained[1]), torch.zeros(1, 3, 32, 32)
    with pytest.raises(UserError, match="dcgan cannot complete; it can generate and score"):
        model.complete(x, x[:, :1], torch.zeros(1, 100))


def test_a_damaged_second_network_is_named(trained: tuple[Params, Path], tmp_path: Path) -> None:
    model = Model.load(trained[1])
    save_model(tmp_path, model.nets, model.config)
    Model.load(tmp_path)
    (tmp_path / "discriminator.safetensors").write_bytes(b"x")
    with pytest.raises(UserError, match=r"discriminator\.safetensors is not the file"):
        Model.load(tmp_path)
    (tmp_path / "discriminator.safetensors").unlink()
    with pytest.raises(UserError, match=r"discriminator\.safetensors is missing"):
        Model.load(tmp_path)


def test_samples_are_scored_beside_copies_and_the_mean(prepared: Path, small: Callable[..., Params]) -> None:
    images, test = (np.asarray(load_split(prepared / paths.PREPARED, split)) for split in ("train", "test"))
    features, params = load_features(prepared / paths.FEATURES), small(evaluate__diversity_images=4).evaluate
    rivals = {"copy": copies(images), "mean": mean(images)}
    found = measure(rivals, test, {"whole": torch.ones(1)}, features, params)
    table = found.table.set_index("method")
    assert table.loc["mean", "fid"] > table.loc["copy", "fid"]
    assert table.loc["mean", "diversity"] == 0
    assert table.loc["copy", "diversity"] > 0
    assert table["psnr"].isna().all()
    assert (table["n"] == len(test)).all()
    assert found.scored["copy", "whole"].embedded.shape == found.scored["real", "whole"].embedded.shape


def test_copies_are_training_images_and_each_once() -> None:
    images = np.arange(6, dtype=np.uint8)[:, None, None, None].repeat(4, 1).repeat(4, 2)
    drawn = to_uint8(copies(images)(6, torch.Generator().manual_seed(0)))
    assert sorted(drawn[:, 0, 0, 0].tolist()) == list(range(6))


def test_a_metric_is_one_record() -> None:
    assert list(get_args(MetricName)) == [name for name in METRICS if name not in CONSTRAINTS + RANKING]
    assert list(get_args(RankingName)) == RANKING


def test_whole_is_all_and_only_for_those_who_need_no_context(small: Callable[..., Params]) -> None:
    assert sample("whole", 2, 8, torch.Generator()).min() == 1
    with pytest.raises(UserError, match="whole leaves nothing known, and roigan completes pictures"):
        small(masks__train={"whole": 1})
    with pytest.raises(UserError, match=r"grey asks for colours alone; set model\.space: lab"):
        small(masks__train={"grey": 1})
    with pytest.raises(UserError, match=r"lab needs colours, but data\.channels is 1"):
        small(model__space="lab", data__channels=1)
    small(model__space="lab", masks__train={"grey": 1})


def test_config_says_what_the_model_is_asked_for(trained: tuple[Params, Path]) -> None:
    config = json.loads((trained[1] / "config.json").read_text())
    assert config["verbs"] == ["generate", "score"]
    assert list(config["nets"]) == ["G", "D"]


def test_the_command_writes_a_picture_per_seed(
    trained: tuple[Params, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run() -> None:
        command = [
            "roigan",
            "generate",
            "--model",
            str(trained[1]),
            "--out",
            str(tmp_path / "out"),
            "--seed",
            "7",
            "3",
        ]
        monkeypatch.setattr("sys.argv", command)
        cli.main()

    run()
    expected = to_uint8(generate_images(Model.load(trained[1]), [7, 3]))
    for image, seed in zip(expected, (7, 3), strict=True):
        assert np.array_equal(np.asarray(Image.open(tmp_path / f"out/{seed}.png")), image)
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 2
    assert "7.png exists already; name another folder" in capsys.readouterr().err
