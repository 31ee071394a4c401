"""The report: what a run came to, as one self-contained HTML page."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure
from PIL import Image

from roigan.config import Params
from roigan.config.reading import write_yaml
from roigan.errors import UserError
from roigan.evaluation.gates import PREFIX, read
from roigan.evaluation.metrics.records import METRICS, Metric
from roigan.systems.by_name import SYSTEMS

METHODS = {
    name: (system.title, f"the registered model, averaged weights; {system.about}")
    for name, system in SYSTEMS.items()
} | {
    "fmm": ("FMM", "fast marching, OpenCV's inpainting after Telea (2004); needs no training"),
    "nearest": ("nearest", "the region of the training image whose known pixels are nearest: pure memory"),
    "copy": ("copy", "training images drawn at random: pure memory"),
    "mean": ("mean", "the mean of the training images, always"),
    "network": ("network", "the network's projection as it is, not searched from"),
    "optimisation": ("optimisation", "a search from a random z, without the network"),
    "grey": ("grey", "the grey picture itself"),
    "by_lightness": ("by L", "the mean colour of the training images at every lightness"),
    "ridge": ("ridge", "a linear regression from 16x16 lightnesses to 16x16 colours"),
    "nearest5": ("5 nearest", "the mean colours of the five training images of the nearest lightness"),
    "welsh": ("Welsh", "colours of the nearest image, moved pixel by pixel (Welsh et al. 2002)"),
    "random": ("random", "the colours of a random training image"),
    "champion": ("champion", "the model that had the alias when this one was evaluated"),
    "real": ("real", "the unmasked originals: the floor that a finite sample leaves; no competitor"),
    "nearest feature": ("nearest feature", "distance to the nearest training image in the judge's features"),
    "pca": ("PCA", "distance to the plane of the 50 directions in which training images vary most"),
    "forest": ("isolation forest", "on the pixels of 2,000 training images (Liu et al. 2008)"),
    "svm": ("one-class SVM", "on the same pixels (Schölkopf et al. 2001)"),
    "ink": ("ink", "distance of the mean of all pixels from that of training images: what is too easy"),
    "last critic": ("last critic", "the prior's critic as it was at the end"),
    "early critic": ("early critic", "the same at a quarter of the run"),
    "mean critic": ("mean critic", "the weighed mean of all critics in one network, untrained"),
    "mean of scores": ("mean of scores", "the weighed mean of what all critics say"),
    "best critic": ("best critic", "chosen on these very images: a ceiling, no competitor"),
    "anogan": ("AnoGAN", "distance to the nearest image of the prior, by search (Schlegl et al. 2017)"),
}
METHODS |= {
    f"{system} whole": (
        f"{METHODS[system][0]}, whole",
        "its generator's image as it is; known pixels may differ",
    )
    for system in SYSTEMS
}
NO_RIVALS = ("real", "best critic")  # a floor and a ceiling: all others compete

LEGIBLE = 0.5  # R2 or accuracy below which a control is said not to act
FLAT = 0.05  # D/adv counts as unmoved within this share of its chance level


class Row(NamedTuple):
    """A method's row under one mask family; cells are (text, is the best)."""

    method: str
    n: int
    cells: list[tuple[str, bool]]


class Shown(NamedTuple):
    """A picture of the page."""

    title: str
    caption: str
    uri: str


def render(
    params: Params,
    table: pd.DataFrame,
    control: pd.DataFrame,
    history: pd.DataFrame,
    promotion: Mapping[str, Any],
    lineage: Sequence[tuple[str, str, str]],
    figures: Mapping[str, Sequence[Shown]],
) -> str:
    """The page.

    table, control, history, promotion: reports/evaluation.csv, control.csv, history.csv, promotion.json;
    lineage: (step, what, hash) in the order of the data's way; figures: section -> its pictures, the sections
    being completions, more, sliders, codes, independence, samples, losses and data.
    """
    environment = Environment(
        loader=PackageLoader("roigan.report", ""), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    page: str = environment.get_template("page.html.j2").render(
        title=METHODS[params.model.system][0],
        params=write_yaml(params.model_dump(mode="json", by_alias=True)),
        metrics=[METRICS[name] for name in METRICS if name in table.columns],
        methods=[METHODS.get(name, (name, "")) for name in table["method"].unique()],
        families={_title(rows): table_rows(rows) for _, rows in table.groupby("mask", sort=False)},
        competitors=", ".join(METHODS[name][0] for name in table["method"].unique() if name not in NO_RIVALS),
        control=control_rows(control),
        promotion=promotion,
        training=training_verdict(history, chance_level(params)),
        controls=control_verdict(control),
        lineage=lineage,
        figures=figures,
    )
    return page


def _title(rows: pd.DataFrame) -> str:
    """Of the rows under one family of masks, or on one set."""
    name = str(rows["mask"].iloc[0])
    return f"{name} (base rate {rows['base_rate'].iloc[0]:.2f})" if "base_rate" in rows else name


def table_rows(rows: pd.DataFrame) -> list[Row]:
    """The rows of one mask family with the best value of each column marked.

    Best among the competitors alone; real images are the floor, and a lone competitor beats nobody.
    """
    rivals = rows[~rows["method"].isin(NO_RIVALS)]
    measured = rows.dropna(axis=1, how="all").columns  # grey images have no chroma
    columns = [name for name in METRICS if name in measured]
    best = {name: _best(METRICS[name], rivals[name]) for name in columns} if len(rivals) > 1 else {}
    result = []
    for _, row in rows.iterrows():
        rival = row["method"] not in NO_RIVALS
        cells = []
        for name in columns:
            value, digits = float(row[name]), METRICS[name].digits
            text = f"{value:.{digits}f}" if np.isfinite(value) else "–"
            cells.append((text, rival and value == best.get(name)))
        result.append(Row(METHODS.get(row["method"], (row["method"],))[0], int(row["n"]), cells))
    return result


def _best(metric: Metric, values: pd.Series) -> float | None:
    values = values.dropna()
    if values.empty or values.nunique() == 1:
        return None
    return float(min(values, key=metric.cost))


def control_rows(control: pd.DataFrame) -> list[dict[str, str]]:
    """The rows of the table of controls as text."""
    return [
        {
            "control": row["control"],
            "kind": {"c": "slider, R²", "k": "code, accuracy", "z": "noise"}[row["control"][0]],
            "read": "–" if np.isnan(row["read"]) else f"{row['read']:.2f}",
            "chance": "–" if np.isnan(row["chance"]) else f"{row['chance']:.2f}",
            "effect": f"{255 * row['effect']:.1f}",
            "consistency": f"{row['consistency']:.2f}",
            "leakage": f"{row['leakage']:g}",
        }
        for row in control.to_dict("records")
    ]


def chance_level(params: Params) -> float:
    """D/adv where D tells nothing apart."""
    return SYSTEMS[params.model.system].chance_level(params.losses)


def training_verdict(history: pd.DataFrame, dead: float) -> tuple[bool, str]:
    """(is it well, a sentence) on whether the discriminator gave the generator anything to learn from."""
    if "D/adv" not in history.columns or history["D/adv"].dropna().empty:
        return True, "The history has no loss of D to judge."
    loss = history["D/adv"].dropna()
    late = loss.iloc[len(loss) // 2 :]
    if not dead:  # a critic, whose loss is what it takes generated images to be more real by
        if late.mean() >= 0:
            return False, (
                "The generator ran ahead: its images please the critic more than real ones do (D/adv "
                f"{late.mean():.3f} on the average of the second half). Raise train.turns_d or train.lr_d, "
                "or give the critic less weight."
            )
        return True, (
            "The critic tells real images from generated ones: its loss D/adv went from "
            f"{loss.iloc[0]:.2f} to {loss.iloc[-1]:.2f} (0 and above: a generator that ran ahead)."
        )
    if ((late - dead).abs() < FLAT * dead).all():
        return False, (
            f"The discriminator is dead: its loss D/adv stays near {dead:.3g} (last {late.iloc[-1]:.3f}): "
            "the generator had no adversarial signal at all. Raise train.lr_d, or train longer."
        )
    if (late < FLAT * dead).all():
        return False, (
            f"The discriminator wins outright: its loss D/adv stays near 0 (last {late.iloc[-1]:.3f}): "
            "the generator learns little from it. Lower train.lr_d."
        )
    return True, (
        f"The discriminator is alive: its loss D/adv went from {loss.iloc[0]:.2f} to {loss.iloc[-1]:.2f} "
        f"({dead:.3g} would be dead, 0 would be a discriminator that wins outright)."
    )


def control_verdict(control: pd.DataFrame) -> tuple[bool, str]:
    """(is it well, a sentence) on whether the sliders and codes act; the sentence is empty without any."""
    found = {kind: read(control, kind) for kind in PREFIX}
    known = {kind: value for kind, value in found.items() if np.isfinite(value)}
    said = ", ".join(
        f"{kind} with a median {'R²' if kind == 'sliders' else 'accuracy'} of {value:.2f}"
        for kind, value in known.items()
    )
    if all(value >= LEGIBLE for value in known.values()):
        return True, f"The controls act: a new network reads {said} from completed images." if known else ""
    return False, (
        f"The controls do not act: a new network reads {said} from completed images; below {LEGIBLE} a "
        "person will see little of them. Raise losses.info, or train longer."
    )


def way_of_the_data(
    params: Params,
    statistics: Mapping[str, Any],
    features: Mapping[str, Any],
    judge: Mapping[str, Any],
    version: Any,
) -> list[tuple[str, str, str]]:
    """The lineage: (step, what, hash) from the data to the registered version.

    statistics: data/prepared/statistics.json; features, judge: config.json in data/features and data/judge;
    version: the registry's record with its name, number, run_id and tags.
    """
    counts = ", ".join(f"{count} {split}" for split, count in statistics["counts"].items())
    size, tags = statistics["image_size"], version.tags
    data = f"{statistics['source']}, {size} x {size}, {counts}"
    biased = ", which the training has learnt to please: its figures flatter"
    apart = judge["sha256"] != features["sha256"]
    code = f"at commit {tags['git.commit']}" if "git.commit" in tags else "outside version control"
    run = f"{params.train.steps} steps of {params.train.batch_size} images, {code}; MLflow run"
    return [
        ("data", data, statistics["data"]),
        ("masks", ", ".join(params.masks.evaluate), tags.get("masks", "")),
        ("features", features["network"], features["sha256"]),
        ("judge", judge["network"] + ("" if apart else biased), judge["sha256"]),
        ("parameters", "params.yaml, below", params.fingerprint()),
        ("run", run, version.run_id or ""),
        ("version", f"{version.name}, version {version.version}; weights", tags.get("sha256", "")),
    ]


def shown(title: str, picture: np.ndarray | Figure | Path, caption: str = "") -> Shown:
    """A picture for the page, inlined as a PNG data URI: a uint8 array, a matplotlib figure or a PNG file."""
    return Shown(title, caption, "data:image/png;base64," + base64.b64encode(png(picture)).decode())


def png(picture: np.ndarray | Figure | Path) -> bytes:
    """A picture as the bytes of a PNG file."""
    if isinstance(picture, Path):
        if not picture.is_file():
            raise UserError(f"{picture} does not exist; run dvc repro, which makes it")
        return picture.read_bytes()
    buffer = io.BytesIO()
    if isinstance(picture, Figure):
        picture.savefig(buffer, format="png", dpi=130)
    else:
        Image.fromarray(picture).save(buffer, format="png")
    return buffer.getvalue()


def first_middle_last(folder: Path) -> list[Path]:
    """Three of the sample grids (or fewer, where there are fewer), in the order of the training."""
    samples = sorted(folder.glob("*.png"))
    return [samples[i] for i in sorted({0, len(samples) // 2, len(samples) - 1})] if samples else []


def read_json(path: Path) -> Any:
    """A JSON output of an earlier stage."""
    if not path.is_file():
        raise UserError(f"{path} does not exist; run dvc repro, which makes it")
    return json.loads(path.read_text())


def read_table(path: Path) -> pd.DataFrame:
    """A CSV output of an earlier stage."""
    if not path.is_file():
        raise UserError(f"{path} does not exist; run dvc repro, which makes it")
    return pd.read_csv(path)
