"""iGAN's network and projections: what is trained, what travels along, and where a search must come out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from roigan.cli import main as cli
from roigan.config import Params, ProjectParams
from roigan.errors import UserError
from roigan.evaluation.exam import Exam
from roigan.evaluation.verbs import VERBS, measure
from roigan.features.network import load_features
from roigan.files import paths
from roigan.images.arrays import load_split, to_uint8
from roigan.inference.projection import METHODS, Projector, normal, uniform
from roigan.report.sections import draw
from roigan.systems.igan.system import IGAN as System
from roigan.systems.interface import Given
from roigan.systems.model import Model, save_model
from roigan.tracking.pyfunc import Served
from roigan.training.loop import train
from roigan.training.worker import Worker
from tests.conftest import DCGAN, IGAN, lay_out


@pytest.fixture(scope="module")
def trained(small: Callable[..., Params], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder of P after a few steps, on a prior of a few steps."""
    root = lay_out(tmp_path_factory.mktemp("igan"), small())
    for name, changes, folder in (("prior", DCGAN, paths.PRIOR), ("train", IGAN, paths.MODEL)):
        scratch = root / name
        worker = Worker(name, root, lambda row, folder: None, scratch)
        assert train(small(**changes, train__steps=4), worker) is None
        (root / folder).parent.mkdir(exist_ok=True)
        (scratch / "model").rename(root / folder)
    return root


def model_of(root: Path) -> Model:
    return Model.load(root / paths.MODEL)


def bright(model: Model) -> Model:
    """With a G that was not trained much, but whose images differ."""
    assert model.prior
    for parameter in model.prior.G.parameters():
        parameter.data *= 2
    return model


# --- the network ---


def test_the_prior_travels_whole_and_unchanged(trained: Path) -> None:
    model, prior = model_of(trained), Model.load(trained / paths.PRIOR)
    assert model.prior
    assert model.prior.sha256 == prior.sha256 == model.config["prior"]
    for net in "GD":
        for key, value in prior.nets[net].state_dict().items():
            assert torch.equal(value, model.prior.nets[net].state_dict()[key])


def test_the_prior_of_another_model_is_refused(trained: Path, tmp_path: Path) -> None:
    model = model_of(trained)
    save_model(tmp_path / "model", model.nets, model.config, prior=model.prior)
    Model.load(tmp_path / "model")
    config = json.loads((tmp_path / "model/config.json").read_text())
    (tmp_path / "model/config.json").write_text(json.dumps(config | {"prior": "0" * 64}))
    with pytest.raises(UserError, match="is not the prior that this model projects onto"):
        Model.load(tmp_path / "model")


def test_a_release_in_half_the_size_is_read_again(trained: Path, tmp_path: Path) -> None:
    model, x = model_of(trained), torch.zeros(1, 3, 32, 32)
    save_model(tmp_path / "half", model.nets, model.config, torch.bfloat16, model.prior)
    assert torch.allclose(Model.load(tmp_path / "half").project(x), model.project(x), atol=0.05)


def test_only_p_learns(small: Callable[..., Params], trained: Path) -> None:
    """Every weight of P has a gradient, none of G changes or has one."""
    prior = Model.load(trained / paths.PRIOR)

    class Flat:
        def maps(self, x: Tensor) -> list[Tensor]:
            return [x]

    system: Any = System(small(**IGAN), Given(Flat(), prior))
    before = {key: value.clone() for key, value in prior.G.state_dict().items()}
    (player,) = system.players()
    batch: Any = type("Batch", (), {"x": torch.rand(4, 3, 32, 32) * 2 - 1})
    nets: Any = type("Nets", (), {"P": system.nets["P"]})
    terms = player.loss(nets, batch)
    sum(terms.values()).backward()
    player.optimizer.step()
    assert terms["features"].item() == pytest.approx(0.1 * terms["pixels"].item())
    assert all(p.grad is not None and p.grad.any() for p in system.nets["P"].parameters())
    assert all(torch.equal(value, before[key]) for key, value in prior.G.state_dict().items())
    assert all(p.grad is None for p in prior.G.parameters())


def test_what_does_not_fit_is_said(small: Callable[..., Params], trained: Path) -> None:
    prior = Model.load(trained / paths.PRIOR)
    wrong = IGAN | {"model": IGAN["model"] | {"noise": 99}}
    with pytest.raises(UserError, match=r"does not fit model.noise 99 \(the prior: 100\)"):
        System(small(**wrong), Given(None, prior))
    with pytest.raises(UserError, match="give the block `prior`"):
        small(**IGAN | {"prior": None})


# --- projections ---


class Linear(nn.Module):
    """G(z) = A z with orthonormal columns: the projection is A^T x."""

    def __init__(self) -> None:
        super().__init__()
        A = torch.randn(3 * 32 * 32, 6, generator=torch.Generator().manual_seed(0))
        self.A = nn.Parameter(torch.linalg.qr(A).Q * 40)

    def forward(self, z: Tensor) -> Tensor:
        return (z @ self.A.T).view(-1, 3, 32, 32)


def linear(trained: Path) -> Model:
    model = model_of(trained)
    assert model.prior
    model.prior.nets["G"], model.nets["P"] = Linear(), nn.Sequential(nn.Flatten(), nn.Linear(3072, 6))
    return model


@pytest.mark.parametrize("space", ["normal", "uniform"])
@pytest.mark.parametrize("method", ["optimisation", "hybrid"])
def test_a_linear_prior_has_a_closed_form(trained: Path, space: str, method: str) -> None:
    model = linear(trained)
    assert model.prior
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(3, 3, 32, 32, generator=generator) * 2 - 1
    params: Any = {"method": method, "space": space, "steps": 60}
    found = Projector(model, ProjectParams(**params))(x, torch.randn(3, 6, generator=generator))
    A = model.prior.G.A
    best = x.flatten(1) @ A / 40**2
    assert torch.allclose(found.z, best, atol=0.01)
    residual = (x.flatten(1) - best @ A.T).square().mean(1)
    assert torch.allclose(found.loss, residual, rtol=1e-4)


def test_its_own_images_are_found_again(trained: Path) -> None:
    model = bright(model_of(trained))
    assert model.prior
    generator = torch.Generator().manual_seed(1)
    x = model.prior.generate(torch.randn(4, 100, generator=generator))
    far = (x - model.prior.generate(torch.zeros(4, 100))).square().mean()
    params = ProjectParams(method="optimisation", space="uniform", steps=150)
    found = Projector(model, params)(x, torch.randn(4, 100, generator=generator))
    assert found.loss.median() < 1e-3 * far


def test_the_hybrid_is_never_worse_than_the_network(trained: Path) -> None:
    model, x = bright(model_of(trained)), torch.rand(5, 3, 32, 32) * 2 - 1
    network, hybrid = (
        Projector(model, ProjectParams(method=method, steps=3))(x, torch.zeros(5, 100))
        for method in ("network", "hybrid")
    )
    assert (hybrid.loss <= network.loss + 1e-6).all()
    assert (hybrid.loss < network.loss).any()
    assert torch.equal(network.z, model.project(x))


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_is_its_images(trained: Path, method: Any) -> None:
    model, generator = bright(model_of(trained)), torch.Generator().manual_seed(2)
    x, z = torch.rand(3, 3, 32, 32, generator=generator) * 2 - 1, torch.randn(3, 100, generator=generator)
    project = Projector(model, ProjectParams(method=method, steps=4, restarts=2))
    together = project(x, z)
    alone = torch.cat([project(x[[i]], z[[i]]).loss for i in range(3)])
    assert torch.allclose(together.loss, alone, rtol=1e-3)


def test_more_restarts_are_never_worse(trained: Path) -> None:
    model, x = bright(model_of(trained)), torch.rand(3, 3, 32, 32) * 2 - 1
    z = torch.randn(3, 100, generator=torch.Generator().manual_seed(0))
    losses = [
        Projector(model, ProjectParams(method="optimisation", steps=3, restarts=n))(x, z).loss for n in (1, 4)
    ]
    assert (losses[1] <= losses[0] + 1e-6).all()


def test_the_two_spaces_are_one() -> None:
    z = torch.linspace(-3, 3, 13)
    assert torch.allclose(normal(uniform(z)), z, atol=1e-3)
    assert uniform(torch.tensor(0.67449)).item() == pytest.approx(0.5, abs=1e-5)  # the quartile


def test_what_cannot_be_projected_is_said(trained: Path) -> None:
    prior, x = Model.load(trained / paths.PRIOR), torch.zeros(1, 1, 32, 32)
    with pytest.raises(UserError, match="dcgan cannot project"):
        Projector(prior, ProjectParams())
    with pytest.raises(UserError, match=r"images of \[3, 32, 32\], not of \[1, 32, 32\]"):
        Projector(prior, ProjectParams(method="optimisation"))(x, torch.zeros(1, 100))


# --- as a verb of the pipeline ---


def test_projections_are_evaluated_beside_the_mean_and_the_nearest(
    trained: Path, small: Callable[..., Params]
) -> None:
    model, few = bright(model_of(trained)), {"evaluate__diversity_images": 2, "project": {"steps": 2}}
    params = small(**IGAN | few)
    train, test = (np.array(load_split(trained / paths.PREPARED, split)) for split in ("train", "test"))
    features = load_features(trained / paths.JUDGE)
    test[0] = train[3]
    found = measure(
        lambda verb: VERBS[verb].methods(params, model, train),
        Exam(test, {"whole": torch.ones(1, 1, 32, 32)}, features, params, model),
    )  # fmt: skip
    psnr = found.table.set_index("method")["psnr"]
    assert set(psnr.index) == {"igan", "network", "optimisation", "nearest", "mean", "real"}
    assert psnr["nearest"] > psnr["mean"]
    assert psnr["igan"] > psnr["network"]
    assert found.scored["nearest", "whole"].means["l1"].min() == 0  # it looks at the whole image


def test_projections_are_drawn_and_served(trained: Path, small: Callable[..., Params]) -> None:
    model, params = model_of(trained), small(**IGAN | {"project": {"steps": 1}})
    train, test = (np.asarray(load_split(trained / paths.PREPARED, split)) for split in ("train", "test"))
    (picture,) = draw(params, model, train, test)["generated"]
    assert picture.pixels.shape == (6 * 34 + 2, 8 * 34 + 2, 3)  # images and five methods
    served = Served()
    served.model = model
    pictures = served.predict(None, {"image": np.zeros((2, 40, 50, 3), np.uint8)})
    assert pictures.shape == (2, 32, 32, 3)


# --- the command ---


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["roigan", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_the_command_projects_a_picture_of_any_size(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = np.linspace(0, 255, 50).astype(np.uint8)[:, None, None].repeat(71, 1).repeat(3, 2)
    Image.fromarray(rows).save(tmp_path / "in.png")
    for model in (paths.MODEL, paths.PRIOR):
        out = tmp_path / f"{model.name}.png"
        command = ("project", "--model", trained / model, "--image", tmp_path / "in.png", "--out", out)
        assert run(monkeypatch, *command) == 0
        assert Image.open(out).size == (32, 32)
        assert "mean squared difference" in capsys.readouterr().out
    assert run(monkeypatch, *command) == 2
    assert "exists already" in capsys.readouterr().err


def test_the_command_writes_an_image_of_the_manifold(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(trained)
    assert model.prior
    own = to_uint8(model.prior.generate(torch.zeros(1, 100)))[0]
    Image.fromarray(own).save(tmp_path / "in.png")
    command = ("project", "--model", trained / paths.PRIOR, "--image", tmp_path / "in.png")
    assert run(monkeypatch, *command, "--out", tmp_path / "out.png") == 0
    found = np.asarray(Image.open(tmp_path / "out.png")).astype(int)
    assert np.abs(found - own).max() <= 1
