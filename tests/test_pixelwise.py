"""Pixel-wise conditioned GANs: what each network is given, the penalty, whole images in the evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from roigan.config import EvaluateParams, PixelwiseModel
from roigan.corruptions.sampling import Sampler, sample
from roigan.evaluation import methods as baselines
from roigan.evaluation.completion import COLUMNS, CONSTRAINTS, measure
from roigan.evaluation.metrics import constraints
from roigan.game import Nets, play
from roigan.losses.reconstruction import known_error
from roigan.systems.model import Model, save_model
from roigan.systems.pixelwise.system import Discriminator, Generator
from roigan.training.batches import Batches
from roigan.training.worker import Worker
from tests.conftest import PIXELWISE, Small
from tests.test_evaluate import network, pictures
from tests.test_game import batch, build

PARAMS = PixelwiseModel(system="pixelwise", width=0.125)
GAN = PixelwiseModel(system="pixelwise", condition=False, width=0.125)


def known(count: int, size: int) -> torch.Tensor:
    return sample("scattered", count, size, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", PixelwiseModel.sides)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("model", [PARAMS, GAN], ids=["pixelwise", "gan"])
def test_shapes_at_every_size(size: int, channels: int, model: PixelwiseModel) -> None:
    x, M = torch.rand(2, channels, size, size), known(2, size)
    image, y = Generator(size, channels, model)(x, M, torch.randn(2, model.noise))
    assert image.shape == y.shape == x.shape
    assert image.abs().max() <= 1
    assert torch.equal(y, torch.where(M > 0.5, image, x))
    assert Discriminator(size, channels, model)(image, x, M).shape == (2,)


def test_layers_of_the_paper() -> None:
    full = PixelwiseModel(system="pixelwise", width=1.0)
    turned = [m for m in Generator(28, 1, full).modules() if isinstance(m, torch.nn.ConvTranspose2d)]
    assert [conv.out_channels for conv in turned] == [128, 64]
    convs = [m for m in Discriminator(28, 1, full).modules() if isinstance(m, torch.nn.Conv2d)]
    assert [conv.out_channels for conv in convs] == [64, 128]


def test_known_pixels_are_heard_and_no_others() -> None:
    x, M, z = torch.rand(2, 1, 28, 28), known(2, 28), torch.randn(2, 100)
    inside, outside = torch.where(M > 0.5, -x, x), torch.where(M > 0.5, x, -x)
    for model, conditioned in ((PARAMS, True), (GAN, False)):
        G, D = Generator(28, 1, model), Discriminator(28, 1, model)
        image = G(x, M, z).G
        assert torch.equal(image, G(inside, M, z).G)
        assert torch.equal(image, G(outside, M, z).G) is not conditioned
        assert torch.equal(D(image, x, M), D(image, inside, M))
        assert torch.equal(D(image, x, M), D(image, outside, M)) is not conditioned


def test_the_penalty_is_a_sum_over_known_pixels_and_a_mean_over_images() -> None:
    x, M = torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4)
    M[0, 0, 0, :3] = 0
    assert known_error(x + 0.5, x, M) == 3 * 0.25 / 2


def test_satisfaction_of_known_pixels() -> None:
    x, G, M = torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4), torch.ones(2, 1, 4, 4)
    M[0, 0, 0, :4] = 0
    G[0, 0, 0] = torch.tensor([0.0, 0.3, 0.4, 1.0])
    assert constraints.mse(G, x, M)[0] == pytest.approx((0.09 + 0.16 + 1) / 4)
    assert constraints.satisfied(G, x, M)[0] == 0.5
    assert constraints.mse(G, x, M)[1].isnan()


def test_only_a_penalty_has_a_known_term(small: Small) -> None:
    after = []
    for lam in (0.0, 0.1):
        params = small(model={"system": "pixelwise", "width": 0.125}, losses={"lam": lam})
        system = build(params)
        terms = play(system.players(), Nets(system.nets), lambda turn, params=params: batch(params, 0))
        assert ("G/known" in terms) == (lam > 0)
        after.append(system.nets["G"].state_dict())
    assert any(not torch.equal(after[0][key], after[1][key]) for key in after[0])


def test_images_that_lend_known_pixels_are_never_shown_to_d(small: Small) -> None:
    params = small(**PIXELWISE, train__constraints=0.2, train__flip=False)
    images = torch.arange(100, dtype=torch.uint8)[:, None, None, None].expand(100, 32, 32, 3)
    worker, sampler = Worker("test", Path(), lambda row, folder: None, Path()), Sampler({"ellipse": 1}, 32)
    batches = Batches(params, images, None, sampler, worker)
    shown, lent = set(), set()
    for step in range(40):
        made = batches.draw(step)
        shown |= set((made.x[:, 0, 0, 0] * 127.5 + 127.5).round().int().tolist())
        lent |= set((made.conditioning[:, 0, 0, 0] * 127.5 + 127.5).round().int().tolist())
    assert shown == set(range(80))
    assert lent == set(range(80, 100))
    whole = Batches(small(**PIXELWISE), images, None, sampler, worker).draw(0)
    assert torch.equal(whole.conditioning, whole.x)


def test_whole_images_are_scored_beside_completed_ones(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = {"system": "pixelwise", "image_size": 32, "channels": 3, "model": PARAMS.model_dump()}
    save_model(tmp_path, {"G": Generator(32, 3, PARAMS)}, config)
    model, masks = Model.load(tmp_path), {"scattered": known(8, 32)}
    scored = EvaluateParams(batch_size=8, diversity_images=4, diversity_samples=2)
    table = measure(
        {"mine": baselines.generated(model)}, pictures(12), masks, network(), scored,
        {"mine whole": baselines.whole(model)},
    ).table.set_index("method")  # fmt: skip
    assert list(table.columns) == [*COLUMNS[1:], *CONSTRAINTS]
    assert (table.loc[["mine", "real"], "mse_known"] == 0).all()
    assert (table.loc[["mine", "real"], "satisfied"] == 1).all()
    assert table.loc["mine whole", "mse_known"] > 0
    assert table.loc["mine whole", "satisfied"] < 1
    assert np.isclose(table.loc["mine whole", "fid"], table.loc["mine", "fid"], rtol=0.5)


def test_noise_falls_on_images_that_lend_as_on_others(small: Small) -> None:
    """Or D would tell real from generated by the known pixels alone, without a look at the image."""
    params = small(train__noise=0.5, train__constraints=0.25)
    grey = torch.full((16, 32, 32, 3), 128, dtype=torch.uint8)
    sampler = Sampler({"scattered": 1.0}, 32)
    made = Batches(params, grey, None, sampler, Worker("", Path(), print, Path())).draw(0)
    assert made.conditioning.std().item() == pytest.approx(made.x.std().item(), rel=0.05)
    assert not torch.equal(made.conditioning, made.x)
