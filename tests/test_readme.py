"""The README's commands: each is known, and all of them run as printed, in order, in a fresh clone."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from roigan.cli import main as cli
from roigan.config import load_params, parse_params, read_yaml
from roigan.launch.cluster import cores

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()

# Enough to run every stage in a minute or two; a user's numbers with ROIGAN_README=full. Most of that time
# starts processes: hence one rank in the Ray group (tests/test_launch.py has two), and trials that take all
# cores, so that one process makes them one after the other.
SMALL: dict[str, dict[str, Any]] = {
    "data": {"image_size": 32, "limit": 24},
    "masks": {"count": 8},
    "features": {"width": 4, "steps": 2, "batch_size": 8},
    "control": {"train": 16, "test": 16, "images": 4, "width": 0.125, "steps": 2, "batch_size": 8},
    "model": {"width": 0.125},
    "train": {"steps": 6, "batch_size": 8, "sample_every": 1, "num_workers": 1},
    "evaluate": {
        "judge": {"width": 4, "steps": 2, "batch_size": 8},
        "diversity_images": 2, "diversity_samples": 2, "bootstrap": 8,
    },
    "tune": {"trials": 2, "steps": 2, "report_every": 1, "images": 8, "cpus": cores()},
}  # fmt: skip


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    lines = "".join(blocks("sh")).splitlines()
    return [line.partition("  #")[0].strip() for line in lines if line.strip()]


def changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A nested dict with some values replaced."""
    return base | {
        key: changed(base[key], value) if isinstance(value, dict) else value for key, value in changes.items()
    }


def params() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "params.yaml").read_text())


def test_first_commands_are_the_two() -> None:
    assert commands()[:2] == ["make repro", "make test"]
    assert "make --no-print-directory test" in (ROOT / "scripts/check").read_text()
    assert "scripts/check" in (ROOT / ".ci/run").read_text()


@pytest.mark.parametrize("command", commands())
def test_command_is_known(command: str) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        assert all(
            re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE) for target in words[1:]
        )
    elif words[:3] == ["uv", "run", "roigan"]:
        arguments = cli.parser().parse_args(words[3:])
        for name in ("image", "mask"):
            assert (ROOT / getattr(arguments, name, ".")).exists()
    elif words[:3] == ["uv", "run", "dvc"]:
        from dvc.cli import parse_args

        arguments = parse_args(words[3:])
        for assignment in getattr(arguments, "set_param", None) or []:
            key, _, value = assignment.partition("=")
            block, _, name = key.partition(".")
            assert name in params()[block]
            parse_params(changed(params(), {block: {name: json.loads(value)}}))
    else:
        pytest.fail(f"the README shows a command that no test knows: {command}")


@pytest.mark.parametrize("block", blocks("yaml"))
def test_shown_parameters_are_valid(block: str) -> None:
    parse_params(changed(params(), read_yaml(block)))


def test_linked_files_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert len(links) > 3
    missing = [link for link in links if not (ROOT / link).exists()]
    assert not missing


def test_small_parameters_are_valid() -> None:
    parse_params(changed(params(), SMALL))
    assert load_params(ROOT / "params.yaml").train.steps > SMALL["train"]["steps"]


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.long
def test_every_command_runs_in_a_fresh_clone(tmp_path: Path) -> None:
    if "ROIGAN_INSIDE_README" in os.environ:
        pytest.skip("this is the test suite that the README's own test runs")
    if not shutil.which("uv") and not (ROOT / ".uv/bin/uv").exists():
        pytest.skip("uv is not at hand")
    clone = tmp_path / "clone"
    fresh_clone(clone)
    for command in commands():
        done = subprocess.run(
            command, shell=True, cwd=clone, env=environment(), text=True, capture_output=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    for output in (
        "reports/report.html",
        "reports/evaluation.csv",
        "reports/digit-3.png",
        "reports/digit-slider.png",
        "tuning/trials.parquet",
    ):
        assert (clone / output).is_file(), output


def fresh_clone(clone: Path) -> None:
    """What git would hand out of this working tree, as a repository with one commit."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this copy of the project is not a git repository")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    if os.environ.get("ROIGAN_README") != "full":
        (clone / "params.yaml").write_text(yaml.safe_dump(changed(params(), SMALL), sort_keys=False))
    who = ["-c", "user.name=reader", "-c", "user.email=reader@example.org"]
    for step in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "the project as it is"]):
        subprocess.run(["git", *step], cwd=clone, check=True)


def environment() -> dict[str, str]:
    """A user's environment: not this test's virtual environment, and git knows a name for DVC's commits."""
    foreign = ("VIRTUAL_ENV", "PYTHONPATH", "MLFLOW_TRACKING_URI", "RAY_ADDRESS")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in foreign and not name.startswith("PYTEST_")
    }
    path = os.pathsep.join(
        part for part in kept["PATH"].split(os.pathsep) if not part.startswith(f"{ROOT}/.venv")
    )
    names = {
        f"GIT_{role}_{what}": "reader@example.org"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    # `make test` in there is this suite again: one file of it, in one process, shows that the command works
    inner = {
        "ROIGAN_INSIDE_README": "1",
        "PYTEST_ADDOPTS": "tests/test_losses.py",
        "PYTEST_XDIST_AUTO_NUM_WORKERS": "1",
    }
    return kept | names | inner | {"PATH": f"{path}{os.pathsep}{ROOT}/.uv/bin"}
