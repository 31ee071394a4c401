"""HistoryAD: total variation in closed form, the bound, weights of the past, the start, and who is normal."""

from __future__ import annotations

import copy
import csv
import math
import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from roigan.cli import main as cli
from roigan.config import DataParams, HistoryADParams, Params, prior_params
from roigan.config.systems.history_ad import HistoryADModel, PastParams
from roigan.datasets.prepare import prepare
from roigan.errors import UserError
from roigan.evaluation.foreign import made
from roigan.evaluation.metrics.ranking import ranking
from roigan.files import paths
from roigan.game import Nets, play
from roigan.images.arrays import load_labels, load_split, normalise, to_float, to_uint8
from roigan.inference.occlusion import drawn, heat, regions
from roigan.inference.score import placed as placed_score
from roigan.inference.score import score_pictures
from roigan.losses.adversarial import beyond, wasserstein_d
from roigan.systems.history_ad import past
from roigan.systems.history_ad.detector import Detector
from roigan.systems.history_ad.system import HistoryAD
from roigan.systems.interface import NO_IMAGES, Given
from roigan.systems.model import Model, save_model
from roigan.systems.states import State, mean_state, weights
from roigan.systems.wgan.networks import Critic
from roigan.tuning.objective import check, scores
from tests.conftest import HISTORY_AD, Small, given

# --- The optimum ---


def bins(mean: float, count: int = 400) -> Tensor:
    """N(mean, 1) as the probabilities of bins on [-6, 7]."""
    edges = torch.linspace(-6, 7, count + 1, dtype=torch.float64)
    return torch.special.ndtr(edges - mean).diff()


def gaussians() -> tuple[Tensor, Tensor]:
    return bins(0.0), bins(1.0)


def optimum(p: Tensor, q: Tensor, bound: float) -> Tensor:
    """sign(p - q) (1 + |p - q| / (bound (p + q)))."""
    return (p - q).sign() * (1 + (p - q).abs() / (bound * (p + q)))


def test_the_dual_form_is_twice_the_total_variation() -> None:
    """N(0, 1) and N(1, 1): delta = 2 Phi(1/2) - 1 = 0.3829; with |D| <= 1 the slides' dual gives 2 delta."""
    p, q = gaussians()
    delta = math.erf(0.5 / math.sqrt(2))
    assert delta == pytest.approx(0.3829, abs=5e-5)
    D = (p - q).sign()
    assert ((p * D).sum() - (q * D).sum()).item() / 2 == pytest.approx(delta, abs=1e-3)


@pytest.mark.parametrize("bound", [1.0, 10.0])
def test_a_table_of_scores_finds_the_optimum(bound: float) -> None:
    p, q = gaussians()
    D = torch.zeros(len(p), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([D], max_iter=500, line_search_fn="strong_wolfe", tolerance_grad=1e-12)

    def loss() -> Tensor:
        optimizer.zero_grad()
        # E D(y) - E D(x) + bound * E beyond, with the exact probabilities in the place of samples
        value = (q * D).sum() - (p * D).sum() + bound * ((p + q) / 2 * 2 * beyond(D)).sum() / 2
        value.backward()
        return value

    optimizer.step(loss)
    some = (p + q) > 1e-4  # where there is anything to learn from
    assert (D.detach() - optimum(p, q, bound))[some].abs().max() < 0.02
    over = ((p - q).square() / (p + q)).sum().item() / bound
    gap = (p * D).sum() - (q * D).sum()
    assert gap.item() == pytest.approx(2 * math.erf(0.5 / math.sqrt(2)) + over, abs=5e-3)


@pytest.mark.parametrize(
    ("score", "value", "slope"), [(0.0, 0, 0), (1.0, 0, 0), (-0.99, 0, 0), (1.5, 0.25, 1), (-3.0, 4, -4)]
)
def test_the_smooth_bound(score: float, value: float, slope: float) -> None:
    D = torch.tensor(score, requires_grad=True)
    found = beyond(D)
    found.backward()
    assert (found.item(), D.grad.item()) == (value, slope)


# --- The past ---


def test_weights_of_the_past() -> None:
    q = weights(40, 0.25, 3.0)
    assert q.sum().item() == pytest.approx(1)
    assert not q[:10].any()
    assert q[10:].all()
    assert torch.allclose(q[11:] / q[10:-1], torch.tensor(math.exp(-3 / 40), dtype=torch.float64))
    assert torch.allclose(weights(8, 0.0, 0.0), torch.full((8,), 1 / 8, dtype=torch.float64))
    assert weights(8, 0.0, -3.0).argmax() == 7
    with pytest.raises(UserError, match=r"start 0\.8 leaves 1 of 5 states, two are needed: lower it"):
        weights(5, 0.8, 3.0)


def states(params: Params, count: int = 3) -> list[State]:
    return list(given(params).past)[:count]


def test_the_mean_of_equal_states_is_that_state_and_of_linear_critics_exact() -> None:
    kept = [State(t, {"D": nn.Linear(5, 1).state_dict()}) for t in range(4)]
    q = weights(4, 0.0, 2.0)
    same = mean_state([kept[0]] * 4, "D", q)
    assert all(torch.allclose(same[key], value) for key, value in kept[0].nets["D"].items())
    x, D = torch.randn(6, 5), nn.Linear(5, 1)
    D.load_state_dict(mean_state(kept, "D", q))
    outputs = []
    for state in kept:
        one = nn.Linear(5, 1)
        one.load_state_dict(state.nets["D"])
        outputs.append(one(x))
    assert torch.allclose(D(x), torch.einsum("t,tbo->bo", q.float(), torch.stack(outputs)), atol=1e-6)


def test_the_bank_is_drawn_by_q() -> None:
    """Chi-square of the counts against q; each state paints its own level; the far field comes first."""
    q = weights(4, 0.0, 2.0)
    drawn = past.counts(q, 10_000, torch.Generator().manual_seed(0))
    assert drawn.sum() == 10_000
    chi = ((drawn - 10_000 * q).square() / (10_000 * q)).sum().item()
    assert chi < 16.3  # the 0.999 quantile of 3 degrees of freedom

    class Level(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.level = nn.Parameter(torch.zeros(()))

        def forward(self, z: Tensor) -> Tensor:
            return self.level.expand(len(z), 1, 4, 4)

    levels = [-1.0, -0.5, 0.5, 1.0]
    kept = [State(t, {"G": {"level": torch.tensor(level)}}) for t, level in enumerate(levels)]
    settings = PastParams(images=1000, far=0.1)
    images = past.bank(Level(), kept, 2, q, settings, NO_IMAGES, torch.Generator().manual_seed(0))
    assert (images.shape, images.dtype) == ((1000, 1, 4, 4), torch.uint8)
    flat = images.flatten(1).float().std(1) == 0
    assert not flat[:100].any()
    assert flat[100:].all()
    expected = past.counts(q, 900, torch.Generator().manual_seed(0))
    found = [(images[100:, 0, 0, 0] == round((level + 1) * 127.5)).sum().item() for level in levels]
    assert found == expected.tolist()


def test_a_share_of_the_bank_is_spoilt_training_images(small: Small) -> None:
    """They follow the far field, and are made of training images: dark ones give dark ones."""
    lent = given(small(**HISTORY_AD))
    dark = torch.full_like(lent.images, 7)
    settings = PastParams(images=96, far=0.25, near=0.5)
    q, generator = weights(len(lent.past), 0.0, 3.0), torch.Generator().manual_seed(0)
    assert lent.prior is not None
    images = past.bank(lent.prior.G, lent.past, lent.prior.sizes.noise, q, settings, dark, generator)
    assert (len(images), images.dtype) == (96, torch.uint8)
    assert (images[24:72] == 7).all()
    assert not (images == 7).flatten(1).all(1)[[*range(24), *range(72, 96)]].any()
    with pytest.raises(ValueError, match=r"far 0\.5 and near 0\.5 leave no past"):
        PastParams(far=0.5, near=0.5)


# --- The detector ---


def test_it_begins_at_the_mean_critic_about_zero(small: Small) -> None:
    params = small(**HISTORY_AD)
    lent = given(params)
    system = HistoryAD(params, lent)
    D = system.nets["D"]
    x = normalise(lent.images.movedim(-1, 1))
    assert D(x).mean().item() == pytest.approx(0.5, abs=1e-3)
    assert D(normalise(system.bank)).mean().item() == pytest.approx(-0.5, abs=1e-3)
    plain = HistoryAD(small(**HISTORY_AD, model__centre="none"), lent).nets["D"]
    mean = mean_state(lent.past, "D", weights(len(lent.past), 0.0, 3.0))
    assert all(torch.equal(value, mean[key]) for key, value in plain.state_dict().items())
    with torch.no_grad():  # the start changes scale and zero, no order
        slope = ((D(x) - D(x).mean()) / (plain(x) - plain(x).mean())).abs()
    assert torch.allclose(slope, slope[0], rtol=1e-2)
    last = HistoryAD(small(**HISTORY_AD, model__centre="none", model__begin="last"), lent).nets["D"]
    assert all(torch.equal(value, lent.past[-1].nets["D"][key]) for key, value in last.state_dict().items())


def test_the_bank_is_a_function_of_the_seed(small: Small) -> None:
    params = small(**HISTORY_AD)
    one, two = (HistoryAD(params, given(params)).bank for _ in range(2))
    other = HistoryAD(small(**HISTORY_AD, train__seed=7), given(params)).bank
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_what_it_needs_is_said_before_anything_is_trained(small: Small) -> None:
    params = small(**HISTORY_AD)
    with pytest.raises(UserError, match=r"needs a prior with a past: set prior\.train\.history\.states"):
        HistoryAD(params, Given(None))
    with pytest.raises(UserError, match="history_ad is trained on the past of a prior; give it one"):
        small(**HISTORY_AD | {"prior": None})
    with pytest.raises(UserError, match=r"model\.width is 0\.25, prior\.model\.width 0\.125"):
        small(**HISTORY_AD | {"model": HISTORY_AD["model"] | {"width": 0.25}})
    without = copy.deepcopy(HISTORY_AD)
    without["prior"]["train"].pop("history")
    with pytest.raises(UserError, match=r"prior\.train\.history\.states: history_ad needs past states"):
        small(**without)


def test_a_memory_is_looked_into_once_trained(small: Small) -> None:
    """Remembered images are at no distance, and nearer than others; training sees D's own value."""
    params = small(**HISTORY_AD | {"model": HISTORY_AD["model"] | {"memory": 8}})
    assert isinstance(params, HistoryADParams)
    system = HistoryAD(params, given(params))
    D = system.nets["D"]
    assert isinstance(D, Detector)
    x = normalise(given(params).images[:12].movedim(-1, 1))
    learnt = D(x)
    system.remember()
    assert torch.equal(D(x), learnt)
    D.eval()
    assert torch.allclose(D.hidden(x) @ D.head.weight[0] + D.head.bias, learnt, atol=1e-5)
    scores = -D(x)
    assert scores[:8].max() < 1e-3 * scores[8:].min()
    features = D.hidden(x)
    expected = (features[8:, None] - features[:8]).square().sum(2).min(1).values
    assert torch.allclose(scores[8:], expected, rtol=1e-3)
    too_many = small(**HISTORY_AD | {"model": HISTORY_AD["model"] | {"memory": 10**6}})
    with pytest.raises(UserError, match=r"model\.memory is 1000000, but there are \d+ training images"):
        HistoryAD(too_many, given(too_many))


@pytest.mark.parametrize("network", ["plain", "residual"])
def test_the_head_reads_what_is_hidden(network: Literal["plain", "residual"]) -> None:
    critic = Critic(32, 3, HistoryADModel(system="history_ad", network=network, width=0.125))
    x = torch.rand(2, 3, 32, 32)
    assert torch.allclose(critic.head(critic.hidden(x))[:, 0], critic(x), atol=1e-6)


class Flat(nn.Module):
    """A small detector of points that are laid out as images."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def test_the_far_one_of_two_gaussians_scores_higher() -> None:
    torch.manual_seed(0)
    D, generator = Flat(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(D.parameters(), lr=1e-2)
    for _ in range(300):
        x, y = torch.randn(2, 256, 1, 1, 1, generator=generator)
        scores = D(torch.cat([x, y + 3]))
        loss = wasserstein_d(*scores.chunk(2)) + 10 * beyond(scores).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    normal, anomalous = D(torch.tensor([0.0, 3.0]).view(2, 1, 1, 1)).tolist()
    assert -normal < 0 < -anomalous


# --- Who is normal ---


def digits(**more: Any) -> DataParams:
    return DataParams(source="digits", image_size=16, channels=1, **more)


def test_no_anomaly_is_trained_on(tmp_path: Path) -> None:
    statistics = prepare(digits(anomalous=[1, 7]), tmp_path)
    manifest = pd.read_parquet(tmp_path / "manifest.parquet")
    own = manifest[manifest["split"].isin(["train", "val", "test"])]
    anomalies = manifest[manifest["split"] == "anomalous"]
    assert set(own["label"]) == {0, 2, 3, 4, 5, 6, 8, 9}
    assert set(anomalies["label"]) == {1, 7}
    assert not set(own["sha256"]) & set(anomalies["sha256"])
    assert statistics["counts"]["anomalous"] == len(anomalies) == len(load_split(tmp_path, "anomalous"))
    labels = load_labels(tmp_path, "train")
    assert labels is not None
    assert not np.isin(labels, [1, 7]).any()


def test_one_label_is_normal(tmp_path: Path) -> None:
    prepare(digits(normal=[3]), tmp_path)
    labels = {split: load_labels(tmp_path, split) for split in ("train", "val", "test", "anomalous")}
    assert {split: set(found) - {3} == set() for split, found in labels.items() if found is not None} == {
        "train": True, "val": True, "test": True, "anomalous": False,
    }  # fmt: skip


def test_a_foreign_source_stands_beside_test(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(250):
        noise = np.random.default_rng(i).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{i:03d}.png")
    others = {"noise": {"source": "folder", "path": str(folder)}}
    statistics = prepare(digits(others=others, split=(0.8, 0.1, 0.1)), tmp_path / "out")
    assert statistics["counts"]["noise"] == 25  # the test part of the source
    assert load_split(tmp_path / "out", "noise").shape == (25, 16, 16, 1)
    for file in sorted(folder.iterdir())[100:]:
        file.unlink()
    with pytest.raises(UserError, match="noise has 10 test images, but needs 20"):
        prepare(digits(others=others, split=(0.8, 0.1, 0.1)), tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"anomalous": [10]}, r"data\.anomalous: 10 is no label of digits"),
        ({"anomalous": list(range(10))}, r"data\.anomalous leaves no label normal"),
        ({"normal": list(range(10))}, r"data\.normal leaves no label anomalous"),
    ],
)
def test_labels_that_make_no_sense_are_refused(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        prepare(digits(**changes), tmp_path)


def test_a_source_without_labels_has_no_anomalies(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.anomalous names labels, but drawn has none"):
        prepare(DataParams(source="drawn", image_size=16, channels=3, anomalous=[1]), tmp_path)


def test_names_of_sets(small: Small) -> None:
    with pytest.raises(UserError, match="either anomalous or normal names labels"):
        small(data__anomalous=[1], data__normal=[2])
    with pytest.raises(UserError, match="others: test is the name of a set that there is anyway"):
        small(data__others={"test": {"source": "digits"}})


# --- Trained, and asked ---


@pytest.fixture(scope="module")
def trained(small: Small, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Params, Path]:
    """The parameters and the folder of a project whose detector has been trained for four steps."""
    from roigan.training.loop import train
    from roigan.training.worker import Worker

    project = tmp_path_factory.mktemp("history_ad") / "project"
    shutil.copytree(prepared, project)
    params = small(**HISTORY_AD, train__steps=4)
    below = prior_params(params)
    assert below is not None
    kept: list[Path] = []

    def keep(file: Path) -> None:
        (project / paths.PRIOR / "states").mkdir(parents=True, exist_ok=True)
        kept.append(Path(shutil.copy(file, project / paths.PRIOR / "states")))

    scratch = project / "scratch/prior"
    assert train(below, Worker("prior", project, lambda row, folder: None, scratch, keep_state=keep)) is None
    shutil.copytree(scratch / "model", project / paths.PRIOR, dirs_exist_ok=True)
    scratch = project / "scratch/model"
    assert train(params, Worker("detector", project, lambda row, folder: None, scratch)) is None
    shutil.copytree(scratch / "model", project / paths.MODEL)
    return params, project


def test_one_network_is_kept_and_scores(trained: tuple[Params, Path]) -> None:
    _, project = trained
    assert {path.name for path in (project / paths.MODEL).iterdir()} == {
        "discriminator.safetensors", "config.json",
    }  # fmt: skip
    model = Model.load(project / paths.MODEL)
    assert model.verbs == ("score",)
    assert model.config["prior"] == Model.load(project / paths.PRIOR).sha256
    x = torch.rand(3, 3, 32, 32) * 2 - 1
    assert torch.allclose(model.score(x), -model.nets["D"](x))
    with pytest.raises(UserError, match="history_ad cannot generate; it can score"):
        model.generate(torch.zeros(1, 1))


def test_a_score_is_placed_among_validation_images(trained: tuple[Params, Path]) -> None:
    """Of the validation images themselves, ranks are even and at most one of twenty is flagged."""
    _, project = trained
    model = Model.load(project / paths.MODEL)
    val = load_split(project / paths.PREPARED, "val")
    found = score_pictures(model, [Image.fromarray(image) for image in val])
    scores = [score.score for score in found]
    by_score = sorted(found)
    assert [score.percentile for score in by_score] == sorted(score.percentile for score in found)
    assert by_score[0].percentile <= 1
    assert [score.flag for score in found] == [score > model.threshold for score in scores]
    assert sum(score.flag for score in found) <= 0.05 * len(val)


def test_the_command_writes_a_table(
    trained: tuple[Params, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    _, project = trained
    (tmp_path / "in").mkdir()
    for number, image in enumerate(load_split(project / paths.PREPARED, "test")[:3]):
        Image.fromarray(image).resize((40, 50)).save(tmp_path / f"in/{number}.png")
    (tmp_path / "in/broken.png").write_bytes(b"no picture")
    model, out = str(project / paths.MODEL), tmp_path / "scores.csv"
    command = ["roigan", "score", "--model", model, "--image", str(tmp_path / "in"), "--out", str(out)]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.err.count("cut square and resized to 32 pixels") == 1
    assert "1 of 4 pictures were not scored" in said.err
    rows = list(csv.DictReader(out.open()))
    assert [row["file"] for row in rows] == ["0.png", "1.png", "2.png"]
    assert set(rows[0]) == {"file", "score", "percentile", "flag", "p"}
    monkeypatch.setattr("sys.argv", [*command[:-1], str(tmp_path / "scores.txt")])
    with pytest.raises(SystemExit):
        cli.main()
    assert "scores are written to a .csv file" in capsys.readouterr().err


def test_p_values_of_exchangeable_scores_are_even(trained: tuple[Params, Path]) -> None:
    """Of n + 1 scores the last may lie anywhere among the others: p is 1/(n+1), ..., 1, each once.
    19 of 20 flags stay down; of equal scores all count as higher."""
    model = Model.load(trained[1] / paths.MODEL)
    normal = [float(value) for value in range(19)]
    model.config["normal"] = normal
    placed = [placed_score(value + 0.5, model) for value in (-1.0, *normal)]
    assert [score.p for score in placed] == [(20 - i) / 20 for i in range(20)]
    assert [score.flag for score in placed] == [False] * 19 + [True]
    assert placed_score(5.0, model).p == (1 + 14) / 20
    assert placed_score(1e9, model).p == 1 / 20


def test_a_trial_is_measured_by_spoilt_validation_images_alone(
    trained: tuple[Params, Path], small: Small
) -> None:
    _, project = trained
    search = {"space": {"losses.bound": {"uniform": [1.0, 9.0]}}, "images": 16, "steps": 4, "report_every": 2}
    wanted = [{"metric": "ap", "set": "spoilt"}, {"metric": "auroc", "set": "uniform"}]
    own = small(**HISTORY_AD, tune=search | {"objectives": wanted})
    check(own)
    found = scores(project / paths.MODEL, {}, own, project)
    assert list(found) == ["ap_spoilt", "auroc_uniform"]
    model, val = Model.load(project / paths.MODEL), load_split(project / paths.PREPARED, "val")[:16]
    normal, foreign = (model.score(to_float(images)) for images in (val, made(val, 0)["spoilt"]))
    assert found["ap_spoilt"] == pytest.approx(ranking(normal, foreign)["ap"].item(), abs=1e-6)
    test_only = small(**HISTORY_AD, tune=search | {"objectives": [{"metric": "ap", "set": "anomalous"}]})
    with pytest.raises(UserError, match=r"set anomalous is not made of validation images; those are upside"):
        check(test_only)


def test_hiding_what_is_anomalous_lowers_the_score() -> None:
    """A model whose score is the brightest pixel: the map is hot where that lies, and says by how much."""

    class Brightest(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Parameter(torch.ones(()))

        def forward(self, x: Tensor) -> Tensor:
            return -x.flatten(1).max(1).values * self.one

    config = {"model": {"system": "history_ad", "width": 0.125}, "image_size": 32, "channels": 1}
    model = Model({"D": Brightest()}, config | {"weights_sha256": "0"})
    image = np.full((32, 32, 1), 55, np.uint8)
    image[20, 6] = 255
    M = regions(32, 0)
    found = heat(model, image, M)
    assert divmod(int(found.argmax()), 32) == (20, 6)
    assert found[20, 6] == pytest.approx(200 / 127.5, rel=1e-4)  # every region that hides it hides all of it
    assert found.min() >= -1e-6
    assert abs(found[5, 28]) < found[20, 6] / 2
    assert len(M) == 400
    assert 0 < M.mean((1, 2, 3)).min() < M.mean((1, 2, 3)).max() <= 0.08
    picture = drawn(image, found)
    assert picture.shape == (256 + 4, 2 * 256 + 6, 3)
    assert (picture == [255, 60, 0]).all(2).any()  # the hottest place has the full colour


def test_maps_are_written_beside_no_picture(
    trained: tuple[Params, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (tmp_path / "in").mkdir()
    for number, image in enumerate(load_split(trained[1] / paths.PREPARED, "test")[:2]):
        Image.fromarray(image).save(tmp_path / f"in/{number}.png")
    command = ["roigan", "score", "--model", str(trained[1] / paths.MODEL), "--image", str(tmp_path / "in")]
    command += ["--out", str(tmp_path / "scores.csv"), "--map"]
    monkeypatch.setattr("sys.argv", [*command, str(tmp_path / "maps")])
    cli.main()
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == ["0.png", "1.png"]
    assert Image.open(tmp_path / "maps/0.png").size == (2 * 256 + 6, 256 + 4)
    before = (tmp_path / "in/0.png").read_bytes()
    monkeypatch.setattr("sys.argv", [*command, str(tmp_path / "in")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "--map would overwrite" in capsys.readouterr().err
    assert (tmp_path / "in/0.png").read_bytes() == before


def test_a_turn_costs_one_forward_of_the_detector(small: Small) -> None:
    """Images of the past come from the bank: no generator runs in a step."""
    from tests.test_game import batch

    params = small(**HISTORY_AD)
    assert isinstance(params, HistoryADParams)
    system = HistoryAD(params, given(params))
    assert set(system.nets) == {"D"}
    terms = play(system.players(), Nets(system.nets), lambda turn: batch(params, 0))
    assert set(terms) == {"D/tv", "D/bound"}
    log = HistoryAD(small(**HISTORY_AD, losses__kind="log"), given(params))
    assert set(play(log.players(), Nets(log.nets), lambda turn: batch(params, 0))) == {"D/log"}


def test_a_model_that_was_not_finished_places_no_score(trained: tuple[Params, Path], tmp_path: Path) -> None:
    model = Model.load(trained[1] / paths.MODEL)
    save_model(tmp_path, model.nets, {key: v for key, v in model.config.items() if key != "normal"})
    with pytest.raises(UserError, match="knows no scores of normal images"):
        score_pictures(Model.load(tmp_path), [Image.fromarray(to_uint8(torch.zeros(3, 8, 8)))])
