"""Photographs through the editor's server, on the manifold of a small prior: projected, and with an edit
carried over."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from roigan.config import ProjectParams
from roigan.image_io.lossless import open_picture
from roigan.inference.projection import project_picture
from roigan.systems.model import Model
from tests.served import Editor, file_of, save_small_model
from tests.test_latent_search import prior

SHA = "f" * 64


@pytest.fixture(scope="module")
def faces() -> Model:
    model = prior("dcgan")
    model.sha256 = SHA
    generator = torch.Generator().manual_seed(0)
    for parameter in model.G.parameters():  # without biases, z = 0 is a place that no search leaves
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return model


@pytest.fixture(scope="module")
def editor(faces: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    small = Model.load(save_small_model(tmp_path_factory.mktemp("models") / "small"))
    served = Editor({"small": small, "faces": faces})
    yield served
    served.stop()


@pytest.fixture(scope="module")
def sha(editor: Editor) -> str:
    return editor.put(file_of("RGBA")).json()["sha256"]


def test_what_models_can(editor: Editor) -> None:
    small, faces = editor.ask("GET", "/api/models").json()
    assert small["can"] == ["fill", "paint"]
    assert faces["can"] == ["project", "transfer"]


def test_a_projection_is_that_of_the_command(editor: Editor, faces: Model, sha: str) -> None:
    asked = {"picture": sha, "model": SHA, "steps": 20}
    answer = editor.post("/api/project", asked).json()
    found = project_picture(faces, open_picture(file_of("RGBA")), ProjectParams(steps=20))
    assert answer["z"] == pytest.approx(found.z[0].tolist())
    assert answer["L"] == pytest.approx(float(found.loss))
    assert answer["L"] < editor.post("/api/project", asked | {"steps": 0}).json()["L"]
    assert [answer[side] for side in ("top", "left", "side")] == [0, 10, 40]


def test_an_edit_is_carried_over_and_the_rest_stays(editor: Editor, sha: str) -> None:
    z0, z1 = (torch.randn(16, generator=torch.Generator().manual_seed(s)).tolist() for s in (0, 1))
    way = {"picture": sha, "model": SHA, "z0": z0, "z1": z1}

    def at(t: float) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(editor.post("/api/transfer", way | {"t": t}).content)))

    original = np.asarray(Image.open(io.BytesIO(file_of("RGBA"))))
    np.testing.assert_array_equal(at(0.0), original)
    end = at(1.0)
    assert (end != original).any()
    assert (at(0.5) != end).any()
    np.testing.assert_array_equal(end[:, :10], original[:, :10])
    np.testing.assert_array_equal(end[:, 50:], original[:, 50:])


BAD: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "no whole images": ("project", {"model": None}, 400, "roigan does not generate whole images"),
    "no network": ("project", {"method": "hybird"}, 422, "'network' or 'hybrid'"),
    "many steps": ("project", {"steps": 51}, 422, "less than or equal to 50"),
    "z of another length": ("transfer", {"z1": [0.0]}, 400, "z has 1 numbers, but those of this model 16"),
    "beyond the end": ("transfer", {"t": 1.1}, 422, "less than or equal to 1"),
    "a stranger": ("transfer", {"picture": "0" * 64}, 404, "no such picture"),
    "a region": ("fill", {}, 400, "dcgan cannot complete"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name: str, editor: Editor, sha: str) -> None:
    verb, part, status, complaint = BAD[name]
    small = editor.ask("GET", "/api/models").json()[0]["sha256"]
    window = {key: square() for key in ("x", "M")}
    bodies = {
        "project": {"picture": sha, "model": SHA},
        "transfer": {"picture": sha, "model": SHA, "z0": [0.0] * 16, "z1": [0.5] * 16},
        "fill": {"model": SHA, "fillings": [{}], **window},
    }
    body = bodies[verb] | {key: small if value is None else value for key, value in part.items()}
    answer = editor.post(f"/api/{verb}", body)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert complaint in answer.json()["error"]


def square() -> str:
    """A square of the prior's size, in base64."""
    return base64.b64encode(file_of("L", 32, 32)).decode()
