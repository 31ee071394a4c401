"""The exported file: one program that gives the model's pixels where this package is not installed."""

import copy
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from roigan.config import GLCICModel, PixelwiseModel, RoIGANModel
from roigan.errors import UserError
from roigan.inference.export import Program, _check, export
from roigan.systems.by_name import SYSTEMS
from roigan.systems.model import Model, save_model
from tests.conftest import ROOT

SIZE = 16
MODELS = {
    "roigan": RoIGANModel(system="roigan", width=0.1, noise=8, sliders=3, codes=2, values=4),
    "glcic": GLCICModel(system="glcic", width=0.125),
    "pixelwise": PixelwiseModel(system="pixelwise", width=0.125),
}


def model(folder: Path, system: str) -> Model:
    torch.manual_seed(0)
    params = MODELS[system]
    G = SYSTEMS[system].networks["G"](SIZE, 3, params)
    save_model(folder, {"G": G}, {"image_size": SIZE, "channels": 3, "model": params.model_dump()})
    return Model.load(folder)


def snippet() -> str:
    """The Python of the page on exported files."""
    return str(re.findall(r"```python\n(.*?)```", (ROOT / "docs/serving.md").read_text(), flags=re.DOTALL)[0])


@pytest.fixture(scope="module", params=MODELS)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    """A model and its file, which lies in a folder of its own; not to be written to."""
    folder = tmp_path_factory.mktemp(request.param)
    given = model(folder / "model", request.param)
    export(given, folder / "deep" / "roigan.pt2")
    return given, folder / "deep" / "roigan.pt2"


@pytest.mark.slow
def test_the_documented_lines_give_the_models_pixels_without_the_package(
    exported: tuple[Model, Path], tmp_path: Path
) -> None:
    given, file = exported
    shutil.copy(file, tmp_path / "roigan.pt2")
    program = "import sys; sys.modules['roigan'] = None\n" + snippet()
    program += "\ntorch.save((x, M, z0, c, k, y), 'result.pt')"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    *inputs, y = torch.load(tmp_path / "result.pt", weights_only=True)
    assert torch.equal(Program(given)(*inputs), y)
    x, M = inputs[:2]
    assert torch.equal(torch.where(M > 0.5, x, y), x)


@pytest.mark.slow
@pytest.mark.parametrize("exported", ["roigan"], indirect=True)
def test_the_file_holds_no_example_and_says_its_sizes(exported: tuple[Model, Path]) -> None:
    given, file = exported
    with zipfile.ZipFile(file) as archive:
        (sizes,) = [name for name in archive.namelist() if name.endswith("sizes.json")]
        said = json.loads(archive.read(sizes))
        assert (
            sum(entry.file_size for entry in archive.infolist() if "sample_inputs" in entry.filename) < 2000
        )
    assert said["image_size"] == SIZE
    assert said["weights_sha256"] == given.sha256
    assert (said["noise"], said["sliders"], said["codes"], said["values"]) == (8, 3, 2, 4)
    assert [path.name for path in file.parent.iterdir()] == ["roigan.pt2"]
    other = copy.deepcopy(given)
    with torch.no_grad():  # other weights: the check must see it
        next(other.G.parameters()).add_(0.1)
    with pytest.raises(UserError, match="gives other pixels"):
        _check(Program(other), file, other)
