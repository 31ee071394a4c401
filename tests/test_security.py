"""What docs/security.md promises: nothing is unpickled, bombs are refused, secrets stay out of MLflow."""

import ast
import io
import os
import pickle
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from ruamel.yaml.error import YAMLError
from safetensors.torch import save

from roigan.config import RoIGANModel, reading
from roigan.datasets import folders as files
from roigan.errors import UserError
from roigan.files import paths
from roigan.files.tensors import sha256_of
from roigan.image_io.contents import Unusable
from roigan.image_io.lossless import read_picture
from roigan.systems.model import CONFIG, WEIGHTS, Model, save_model
from roigan.systems.roigan.networks import Generator
from roigan.tracking import registry
from tests.conftest import ROOT, Small
from tests.test_decode import png

CODE = sorted(
    path for folder in ("roigan", "pipelines", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)
UNPICKLERS = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}


def violations(source: str) -> Iterator[str]:
    """Whatever in a program may run code that comes with its data."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            yield from UNPICKLERS & {part for module in modules for part in module.split(".")}
        if isinstance(node, ast.Attribute) and node.attr in {"read_pickle", "unsafe_load", "full_load"}:
            yield node.attr
        if isinstance(node, ast.Call):
            name, given = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
            if name in {"eval", "exec", "os.system", "torch.hub.load"} or given.get("shell") == "True":
                yield name
            if name == "torch.load" and given.get("weights_only") != "True":
                yield "torch.load without weights_only=True"
            if name.endswith("load_state_dict_from_url") and given.get("weights_only") != "True":
                yield "load_state_dict_from_url without weights_only=True"
            if given.get("allow_pickle", "False") != "False":
                yield "allow_pickle"
            if name in {"yaml.load", "yaml.load_all"}:
                yield "yaml.load instead of safe_load"
            if name.split(".")[-1] == "YAML" and (node.args or given.get("typ", "'safe'") != "'safe'"):
                yield "YAML that is neither safe nor ruamel's own, which keeps tags as they are"
            if name.endswith(".extractall"):
                yield "extractall"


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_unpickles_or_runs_what_it_reads(path: Path) -> None:
    assert list(violations(path.read_text())) == []


@pytest.mark.parametrize(
    "bad",
    [
        "import pickle",
        "from ray import cloudpickle",
        "from joblib import load",
        "torch.load(p)",
        "torch.load(p, weights_only=False)",
        "np.load(p, allow_pickle=True)",
        "yaml.load(t, Loader=yaml.Loader)",
        "yaml.unsafe_load(t)",
        "YAML(typ='unsafe').load(t)",
        "YAML('unsafe').load(t)",
        "pd.read_pickle(p)",
        "subprocess.run(c, shell=True)",
        "exec(t)",
        "archive.extractall()",
    ],
)
def test_the_check_sees_what_it_looks_for(bad: str) -> None:
    assert list(violations(bad))


class Bomb:
    """Leaves a file where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("exploded",)


def test_pickled_weights_are_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    params = RoIGANModel(system="roigan", width=0.1, noise=8, sliders=3, codes=2, values=4)
    config = {"image_size": 16, "channels": 3, "model": params.model_dump()}
    save_model(tmp_path / "model", {"G": Generator(16, 3, params)}, config)
    bomb = io.BytesIO()
    torch.save({"weights": Bomb()}, bomb)
    for content in (pickle.dumps(Bomb()), bomb.getvalue(), save({"foreign": torch.zeros(1)}), b""):
        (tmp_path / "model" / WEIGHTS).write_bytes(content)
        with pytest.raises(UserError, match="is not the file that"):
            Model.load("model")
        said = (tmp_path / "model" / CONFIG).read_text()
        digest = sha256_of(tmp_path / "model" / WEIGHTS)
        forged = said.replace(said.split('"weights_sha256": "')[1][:64], digest)
        (tmp_path / "model" / CONFIG).write_text(forged)
        with pytest.raises(UserError, match="holds no model that this version can read"):
            Model.load("model")
        (tmp_path / "model" / CONFIG).write_text(said)
    assert not Path("exploded").exists()


def test_yaml_tags_run_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(YAMLError):
        reading.read_yaml("!!python/object/apply:os.mkdir [exploded]")
    assert not Path("exploded").exists()


def test_a_picture_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(png(60_000, 60_000, 8, b""))
    with pytest.raises(UserError, match=r"bomb\.png cannot be read: .*decompression bomb"):
        read_picture(tmp_path / "bomb.png")


def test_an_entry_is_never_inflated_beyond_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 1000)
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("bomb.png", bytes(10**6))
    with pytest.raises(Unusable, match="absurdly large"):
        files.open_files(archive).read("bomb.png")
    content = archive.read_bytes().replace((10**6).to_bytes(4, "little"), (900).to_bytes(4, "little"))
    archive.write_bytes(content)  # headers that claim 900 bytes
    with pytest.raises(Unusable, match="unreadable"):
        files.open_files(archive).read("bomb.png")


def test_a_large_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 1000)
    (tmp_path / "large.png").write_bytes(bytes(1001))
    with pytest.raises(Unusable, match="absurdly large"):
        files.open_files(tmp_path).read("large.png")


def test_secrets_do_not_reach_mlflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Small, prepared: Path, database: Path
) -> None:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    (tmp_path / ".roigan").mkdir()
    shutil.copy(database, tmp_path / ".roigan")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    secret = "s3cr3t-0f-n0b0dy"
    for name in ("AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD", "RAY_AUTH_TOKEN", "HF_TOKEN"):
        monkeypatch.setenv(name, secret)
    params = small()
    config = {"image_size": 32, "channels": 3, "model": params.model.model_dump(), "fingerprint": "f00d"}
    save_model(paths.MODEL, {"G": Generator(32, 3, params.model)}, config)
    registry.register(params)
    written = [path for path in (tmp_path / ".roigan").rglob("*") if path.is_file()]
    assert any(path.name == WEIGHTS for path in written)
    assert not [path for path in written if secret.encode() in path.read_bytes()]


def test_a_login_in_the_stores_address_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:s3cr3t@127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UserError, match=r"MLflow at http://127\.0\.0\.1:1") as caught:
        registry.find_version("roigan/1")
    assert "s3cr3t" not in str(caught.value)


def test_large_pictures_are_refused_by_pillows_limit() -> None:
    assert Image.MAX_IMAGE_PIXELS == 89_478_485  # what docs/security.md calls 89 million
