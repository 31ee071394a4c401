"""What every metric is: its name in tables, which way is better, what it says; in the columns' order."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple


class Metric(NamedTuple):
    """A column of an evaluation table."""

    label: str
    better: Literal["low", "high", "one"]
    """`one`: a ratio to real images, the nearer to 1 the better."""
    digits: int
    """Decimals in the report."""
    meaning: str

    @property
    def arrow(self) -> str:
        """↓, ↑ or →1."""
        return {"low": "↓", "high": "↑", "one": "→1"}[self.better]

    def cost(self, value: float) -> float:
        """The value as something to be made small."""
        return {"low": value, "high": -value, "one": abs(value - 1)}[self.better]


METRICS = {
    "fid": Metric(
        "FID", "low", 2, "distance from real images in the features' mean and covariance (Heusel 2017)"
    ),
    "kid": Metric(
        "KID", "low", 4, "the same by a polynomial kernel, without bias on small sets (Bińkowski 2018)"
    ),
    "pids": Metric(
        "P-IDS",
        "high",
        3,
        "share of images that a linear judge finds more real than originals (Zhao 2021)",
    ),
    "uids": Metric("U-IDS", "high", 3, "error rate of that judge; 0.5 is best, what real images have"),
    "percep": Metric(
        "percep",
        "low",
        3,
        "distance from the original's maps in the region; punishes a foreign filling",
    ),
    "l1": Metric("L1", "low", 4, "mean absolute error inside the region; favours blur"),
    "psnr": Metric("PSNR", "high", 2, "peak signal-to-noise ratio in dB; favours blur likewise"),
    "ssim": Metric("SSIM", "high", 3, "structural similarity to the original (Wang 2004)"),
    "border": Metric(
        "border", "one", 2, "jump across the region's edge relative to the real image's; more is a seam"
    ),
    "chroma": Metric(
        "chroma", "one", 2, "change of colour inside the region relative to the real image's; more are specks"
    ),
    "sharpness": Metric(
        "sharpness",
        "one",
        2,
        "change of brightness inside the region relative to the real image's; less is blur",
    ),
    "diversity": Metric("diversity", "high", 4, "how much images differ when z is drawn anew"),
    "psnr_ab": Metric("PSNR ab", "high", 2, "the same of a, b of Lab alone (peak 255)"),
    "colour": Metric(
        "colour", "one", 2, "colourfulness (Hasler 2003) relative to real images; less is greyish"
    ),
    "js": Metric("JS", "low", 3, "divergence of the histogram of a, b from that of real images, in nats"),
    "natural": Metric(
        "natural",
        "high",
        3,
        "share of images whose colours a judge takes for natural; of real ones 0.871",
    ),
    "ap": Metric(
        "AP",
        "high",
        3,
        "average precision, anomalies positive: a random score has their share, the base rate",
    ),
    "ap_normal": Metric("AP normal", "high", 3, "the same with the normal images positive"),
    "auroc": Metric("AUROC", "high", 3, "how often an anomaly scores above a normal image; 0.5 by chance"),
    "fpr95": Metric("FPR95", "low", 3, "share of anomalies that pass where 95 % of normal images do"),
    "mse_known": Metric("MSE", "low", 4, "squared error at known pixels on the scale [-1, 1]"),
    "satisfied": Metric("satisfied", "high", 3, "share of known pixels whose squared error is below 0.1"),
}
RANKING = ["ap", "ap_normal", "auroc", "fpr95"]
"""Of scores, not of images."""
COLOURS = ["psnr_ab", "colour", "js", "natural"]
"""Of interest where colours alone are generated."""
CONSTRAINTS = ["mse_known", "satisfied"]
"""Of interest where known pixels may change."""


def worst(value: float, limit: float) -> float:
    """At most `limit`, which stands for what is not a number as well."""
    return min(value, limit) if math.isfinite(value) else limit
