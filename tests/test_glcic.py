"""GLCIC: layers, patches, phases, blending in use only; and how the house treats a model without controls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from roigan.config import GLCICModel
from roigan.corruptions.sampling import sample
from roigan.errors import UserError
from roigan.evaluation.control import COLUMNS, examine
from roigan.game import Nets, play
from roigan.images.blending import membrane
from roigan.inference.inpaint import complete_picture
from roigan.systems.glcic.system import Discriminator, Generator, patch
from roigan.systems.model import Model, save_model
from tests.conftest import GLCIC, Small
from tests.test_game import batch, build

PARAMS = GLCICModel(system="glcic", width=0.125)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    torch.manual_seed(0)
    folder: Path = tmp_path_factory.mktemp("model")
    config = {"system": "glcic", "image_size": 16, "channels": 3, "model": PARAMS.model_dump()}
    save_model(folder, {"G": Generator(16, 3, PARAMS)}, config)
    return Model.load(folder)


@pytest.mark.parametrize("size", [16, 32, 64, 256])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_at_every_size(size: int, channels: int) -> None:
    x, M = torch.rand(2, channels, size, size), torch.ones(2, 1, size, size)
    image, _ = Generator(size, channels, PARAMS)(x, M)
    assert image.shape == x.shape
    assert image.abs().max() <= 1
    assert Discriminator(size, channels, PARAMS)(x, M).shape == (2,)


def test_layers_of_the_tables() -> None:
    """At width 1 and 256 px: kernels, strides, dilations and channels as printed."""
    full = GLCICModel(system="glcic", width=1.0)
    convs = [m for m in Generator(256, 3, full).modules() if isinstance(m, torch.nn.modules.conv._ConvNd)]
    assert [conv.out_channels for conv in convs] == [64, 128, 128, *[256] * 9, 128, 128, 64, 32, 3]
    assert [conv.dilation[0] for conv in convs] == [*[1] * 6, 2, 4, 8, 16, *[1] * 7]
    assert [i for i, conv in enumerate(convs) if conv.stride[0] == 2] == [1, 3, 12, 14]
    D = Discriminator(256, 3, full)
    for judge, channels in ((D.whole, [64, 128, 256, 512, 512, 512]), (D.local, [64, 128, 256, 512, 512])):
        convs = [m for m in judge.modules() if isinstance(m, torch.nn.Conv2d)]
        assert [conv.out_channels for conv in convs] == channels


def test_the_patch_lies_around_the_region_and_within_the_image() -> None:
    image = torch.arange(256.0).reshape(1, 1, 16, 16).expand(4, 1, 16, 16)
    M = torch.zeros(4, 1, 16, 16)
    M[0, :, 5:11, 6:8] = 1  # centre (8, 7)
    M[1, :, 0, 0] = 1
    M[2, :, 15, 8] = 1
    M[3] = 1
    for cut, (top, left) in zip(patch(image, M), [(4, 3), (0, 0), (8, 4), (4, 4)], strict=True):
        assert torch.equal(cut[0], image[0, 0, top : top + 8, left : left + 8])


def test_the_three_phases(small: Small) -> None:
    params = small(train__steps=100, **GLCIC)
    system = build(params)
    nets = Nets(system.nets)
    moved = {
        step: set(play(system.players(), nets, lambda turn, step=step: batch(params, step)))
        for step in (0, 17, 18, 19, 20, 99)
    }
    both = {"G/mse", "G/adv", "D/adv"}
    assert moved == {0: {"G/mse"}, 17: {"G/mse"}, 18: {"D/adv"}, 19: {"D/adv"}, 20: both, 99: both}


def test_learns_to_fill_in(small: Small) -> None:
    """The squared error alone, on one batch, falls to a fraction."""
    params = small(train__steps=1000, train__lr_g=3e-3, **GLCIC)
    system = build(params)
    nets, players, only = Nets(system.nets), system.players(), batch(params, 0)
    errors = [play(players, nets, lambda turn: only)["G/mse"].item() for _ in range(40)]
    assert errors[-1] < 0.8 * errors[0]


def test_blended_in_use_only() -> None:
    torch.manual_seed(0)
    G = Generator(16, 3, PARAMS)
    x, M = torch.rand(2, 3, 16, 16), sample("ellipse", 2, 16, torch.Generator().manual_seed(0))
    with torch.no_grad():
        image, y = G(x, M)
        assert torch.equal(y, torch.where(M > 0.5, image, x))
        blended = G.eval()(x, M).y
    assert torch.equal(blended, torch.where(M > 0.5, membrane(x, image, M), x))


def test_the_region_is_never_looked_at_and_the_rest_stays(model: Model) -> None:
    generator = torch.Generator().manual_seed(3)
    x, M = torch.rand(2, 3, 16, 16, generator=generator), sample("mixture", 2, 16, generator)
    z = model.latent(2, generator)
    assert z.shape == (2, 0)
    y = model.complete(x, M, z)
    assert torch.equal(y, model.complete(torch.where(M > 0.5, -x, x), M, z))
    outside = (M == 0).expand_as(x)
    assert y[outside].numpy().tobytes() == x[outside].numpy().tobytes()
    assert not torch.equal(y, x)


def test_controls_are_refused_in_one_line(model: Model) -> None:
    picture, mask = np.zeros((20, 20, 3), np.uint8), np.eye(20, dtype=bool)
    assert complete_picture(model, picture, mask).shape == picture.shape
    for given in ({"c": [0.5]}, {"k": [1]}):
        with pytest.raises(UserError, match=r"[ck] has 1 numbers, but this model has no such controls"):
            complete_picture(model, picture, mask, **given)


def test_without_controls_there_is_nothing_to_examine(model: Model, small: Small) -> None:
    images = np.zeros((4, 16, 16, 3), np.uint8)
    examined = examine(model, images, images, None, small().control)
    assert list(examined.table.columns) == COLUMNS
    assert examined.table.empty
    assert examined.independence.shape == (0, 0)
