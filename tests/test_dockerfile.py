"""The Dockerfile, as far as it can be checked without building it."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NEEDED = ["pyproject.toml", "uv.lock", "README.md", "LICENSE", "params.yaml", "dvc.yaml", ".dvc/config"]
PRIVATE = [
    ".git/config",
    ".venv/bin/dvc",
    ".dvc/config.local",
    ".roigan/mlflow.db",
    "data/prepared/train.npy",
    "models/roigan/config.json",
    "roigan/__pycache__/x.pyc",
]


def instructions() -> list[tuple[str, str]]:
    """[("FROM", "nvidia/cuda:..."), ...], continued lines joined."""
    text = "\n".join(
        line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")
    )
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(line.split()[0], line.partition(" ")[2]) for line in lines if line.strip()]


def sent(path: str) -> bool:
    """Whether .dockerignore lets a path through: the last pattern that matches it or a parent decides."""
    kept = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!").removeprefix("**/")
        parents = [path, *map(str, Path(path).parents)]
        names = Path(path).parts if "**/" in line else ()
        if any(fnmatch(part, pattern) for part in (*parents, *names)):
            kept = line.startswith("!")
    return kept


def test_base_is_cuda_with_a_pinned_tag() -> None:
    (base,) = [rest for name, rest in instructions() if name == "FROM"]
    assert re.fullmatch(r"nvidia/cuda:\d+\.\d+\.\d+-(base|runtime)-ubuntu\d\d\.04", base)


def test_cuda_is_that_of_the_locked_torch() -> None:
    (base,) = [rest for name, rest in instructions() if name == "FROM"]
    locked = re.search(r'name = "nvidia-cuda-runtime"\nversion = "(\d+)\.', (ROOT / "uv.lock").read_text())
    assert locked, "uv.lock holds no CUDA runtime"
    assert base.split(":")[1].split(".")[0] == locked[1]


def test_every_copied_source_exists_and_is_sent() -> None:
    copied = [rest.split() for name, rest in instructions() if name == "COPY"]
    own = [
        [part for part in parts if not part.startswith("--")][:-1]
        for parts in copied
        if "--from" not in parts[0]
    ]
    assert own
    for source in (path for paths in own for path in paths if path != "."):
        assert (ROOT / source).exists()
        assert sent(source)


@pytest.mark.parametrize(
    "path", [*NEEDED, "roigan/config/blocks.py", "roigan/report/page.html.j2", "pipelines/train.py"]
)
def test_what_the_pipeline_needs_is_sent(path: str) -> None:
    assert (ROOT / path).exists()
    assert sent(path)


@pytest.mark.parametrize("path", PRIVATE)
def test_what_is_private_or_large_is_not_sent(path: str) -> None:
    assert not sent(path)


def test_runs_frozen_and_without_root() -> None:
    steps = instructions()
    users = [i for i, (name, rest) in enumerate(steps) if name == "USER" and rest not in ("root", "0")]
    assert len(users) == 1
    syncs = [(i, rest) for i, (name, rest) in enumerate(steps) if "uv sync" in rest]
    assert syncs
    assert all("--frozen" in rest and i > users[0] for i, rest in syncs)
    assert "useradd" in " ".join(rest for _, rest in steps[: users[0]])
    assert steps[-1] == ("ENTRYPOINT", '["dvc", "repro"]')


def test_entry_point_is_on_the_path() -> None:
    (folder,) = [rest for name, rest in instructions() if name == "WORKDIR"]
    (environment,) = [rest for name, rest in instructions() if name == "ENV"]
    assert f"PATH={folder}/.venv/bin:" in environment
