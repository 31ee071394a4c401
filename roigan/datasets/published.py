"""SVHN and CIFAR-10 from the files that their authors publish, nothing of which is unpickled.

Y. Netzer et al., Reading Digits in Natural Images, 2011: train_32x32.mat, test_32x32.mat (MATLAB 5).
A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009: the binary version, not the one
for Python, which is pickled (torchvision's reader unpickles it).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from roigan.errors import UserError, brief

Part = tuple[np.ndarray, np.ndarray]
"""Images uint8 [N, 32, 32, 3] and labels int64 [N] from 0."""

SIDE = 32
CIFAR10_FOLDER = "cifar-10-batches-bin"
CIFAR10 = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}


def svhn(folder: Path) -> dict[str, Part]:
    """Train and test; the label of the digit 0 is 0, which the files call 10."""
    return {part: _matlab(_file(folder / f"{part}_32x32.mat", "svhn")) for part in ("train", "test")}


def _matlab(file: Path) -> Part:
    from scipy.io import loadmat

    try:
        content = loadmat(file)
        images, labels = content["X"].transpose(3, 0, 1, 2), content["y"].reshape(-1)  # X: [32, 32, 3, N]
    except Exception as error:  # whatever a damaged file makes of SciPy
        raise UserError(f"{file} cannot be read as SVHN ({brief(error)}); fetch it anew") from None
    if images.shape != (len(labels), SIDE, SIDE, 3) or images.dtype != np.uint8:
        raise UserError(f"{file} holds {images.dtype} {images.shape}, but SVHN is uint8 [N, 32, 32, 3]")
    return np.ascontiguousarray(images), labels.astype(np.int64) % 10


def cifar10(folder: Path) -> dict[str, Part]:
    """Train and test; folder: the one with cifar-10-batches-bin, or that one."""
    inner = folder / CIFAR10_FOLDER
    folder = inner if inner.is_dir() else folder
    parts = {part: [_binary(_file(folder / name, "cifar10")) for name in CIFAR10[part]] for part in CIFAR10}
    return {
        part: (np.concatenate([images for images, _ in read]), np.concatenate([labels for _, labels in read]))
        for part, read in parts.items()
    }


def _binary(file: Path) -> Part:
    """Rows of a byte for the label, then 3 x 32 x 32 for the image, plane after plane."""
    content = np.fromfile(file, np.uint8)
    if not len(content) or len(content) % (1 + 3 * SIDE**2):
        raise UserError(f"{file} has {len(content)} bytes, no multiple of 3,073: it is not CIFAR-10's binary")
    rows = content.reshape(-1, 1 + 3 * SIDE**2)
    return rows[:, 1:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1), rows[:, 0].astype(np.int64)


def _file(file: Path, name: str) -> Path:
    if not file.is_file():
        raise UserError(f"{file} does not exist; data.path is the folder of {name}'s files ({HOW[name]})")
    return file


HOW = {
    "svhn": "train_32x32.mat and test_32x32.mat of ufldl.stanford.edu/housenumbers",
    "cifar10": f"{CIFAR10_FOLDER} of cifar-10-binary.tar.gz, the binary version",
}
