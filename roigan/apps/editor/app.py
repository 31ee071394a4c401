"""The routes: which request is answered by which verb, and how errors become one line of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from roigan.apps.editor import brushes, photographs, verbs
from roigan.apps.editor.gate import Gate
from roigan.apps.editor.guard import Guard
from roigan.apps.editor.pictures import Opened, Pictures, preview
from roigan.apps.editor.requests import MOST_PIXELS, Along, Draw, Fill, Paint, Project, Render, Transfer, Work
from roigan.apps.recipe import complaint, runs_of
from roigan.apps.regions import MOST_RUNS, Region
from roigan.errors import UserError
from roigan.image_io.contents import Unusable
from roigan.image_io.lossless import as_mask, open_picture
from roigan.systems.model import Model

PAGE = Path(__file__).parent / "page"
TYPES = {"png": "image/png", "tif": "image/tiff"}
FILE = {"requestBody": {"required": True, "content": {"application/octet-stream": {}, "image/*": {}}}}
"""What /openapi.json says of a body that is a file as it is."""


def make_app(named: Mapping[str, Model], port: int, token: str | None = None) -> FastAPI:
    """The editor around models, by the names that the page shows; port, token: see `Guard`."""
    app = FastAPI(title="roigan edit", docs_url=None, redoc_url=None)  # their pages load scripts from a CDN
    app.add_middleware(Guard, port=port, token=token)
    models = {model.sha256: model for model in named.values()}
    pictures, gate = Pictures(), Gate()

    def model_of(sha: str) -> Model:
        if sha not in models:
            raise HTTPException(404, "this server has no such model")
        return models[sha]

    def opened(sha: str) -> Opened:
        if (found := pictures.get(sha)) is None:
            raise HTTPException(404, "this server has no such picture; send it again")
        return found

    def check(regions: list[Region]) -> None:
        for region in regions:
            model_of(region.model)
        if sum(len(region.runs) for region in regions) > MOST_RUNS:
            raise HTTPException(413, f"regions have more than {MOST_RUNS} runs")

    @app.get("/api/models")
    async def list_models() -> list[dict[str, Any]]:
        """All models, in the order of the command line."""
        return [verbs.about(name, model) for name, model in named.items()]

    @app.put("/api/pictures", openapi_extra=FILE)
    async def open_file(request: Request) -> dict[str, Any]:
        """Decode a picture file; its SHA-256 is its name from then on."""
        content = await request.body()
        return await gate.run(lambda: pictures.put(content, open_picture(content, MOST_PIXELS)).about)

    @app.get("/api/pictures/{sha}", response_class=Response)
    async def show_picture(sha: str) -> Response:
        """The picture as PNG on white, 4 megapixels at most."""
        picture = opened(sha).picture
        return Response(await gate.run(lambda: preview(picture)), media_type=TYPES["png"])

    @app.get("/api/pictures/{sha}/about")
    async def describe_picture(sha: str) -> dict[str, Any]:
        """What was said when the file was sent."""
        return opened(sha).about

    @app.post("/api/mask", openapi_extra=FILE)
    async def read_mask(request: Request) -> dict[str, Any]:
        """A mask file as runs: row-major lengths, by turns of 0 (first) and 1."""
        content = await request.body()

        def work() -> dict[str, Any]:
            mask = as_mask(open_picture(content, MOST_PIXELS))
            if len(runs := runs_of(mask)) > MOST_RUNS:
                raise HTTPException(413, f"the mask has more than {MOST_RUNS} runs")
            height, width = mask.shape
            return {"height": height, "width": width, "runs": runs}

        return await gate.run(work)

    @app.post("/api/draw")
    async def draw(asked: Draw) -> list[dict[str, Any]]:
        """Sliders and codes of seeds."""
        return verbs.draw(model_of(asked.model), asked.seeds)

    @app.post("/api/window")
    async def window(asked: Work) -> dict[str, Any]:
        """What the model of the last region sees, once the regions before it are filled."""
        check(asked.regions)
        picture = opened(asked.picture).picture
        return await gate.run(lambda: verbs.seen_by(models, picture, asked.regions))

    @app.post("/api/fill", response_class=Response)
    async def fill(asked: Fill) -> Response:
        """Fillings of a window at the model's size, side by side: what a slider shows while it moves."""
        model = model_of(asked.model)
        content = await gate.run(lambda: verbs.fill(model, asked.x, asked.M, asked.fillings))
        return Response(content, media_type=TYPES["png"])

    @app.post("/api/paint")
    async def paint(asked: Paint) -> dict[str, Any]:
        """Steps towards a filling that follows strokes: where every candidate stands, the best it has met."""
        model = model_of(asked.model)
        return await gate.run(lambda: brushes.paint(model, asked))

    @app.post("/api/path", response_class=Response)
    async def path(asked: Along) -> Response:
        """Fillings on the way from one to another, side by side."""
        model = model_of(asked.model)
        return Response(await gate.run(lambda: brushes.along(model, asked)), media_type=TYPES["png"])

    @app.post("/api/project")
    async def project(asked: Project) -> dict[str, Any]:
        """Where a photograph lies on the manifold of a model of whole images."""
        model, picture = model_of(asked.model), opened(asked.picture).picture
        return await gate.run(lambda: photographs.project(model, picture, asked))

    @app.post("/api/transfer", response_class=Response)
    async def transfer(asked: Transfer) -> Response:
        """A photograph with an edit of such a model carried over, as a file."""
        model, picture = model_of(asked.model), opened(asked.picture).picture
        content = await gate.run(lambda: photographs.transfer(model, picture, asked))
        return Response(content, media_type=TYPES[asked.format])

    @app.post("/api/render", response_model=None)
    async def render(asked: Render) -> Response | dict[str, Any]:
        """The exact result: the whole file, the box that has changed, or the mask."""
        check(asked.regions)
        picture = opened(asked.picture).picture
        if asked.part == "box":
            return await gate.run(lambda: verbs.render_box(models, picture, asked.regions))
        if asked.part == "mask":
            content = await gate.run(lambda: verbs.render_mask(picture, asked.regions))
            return Response(content, media_type=TYPES["png"])
        content = await gate.run(lambda: verbs.render_whole(models, picture, asked.regions, asked.format))
        return Response(content, media_type=TYPES[asked.format])

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    app.mount("/", StaticFiles(directory=PAGE))
    for kind, answer in ANSWERS.items():
        app.add_exception_handler(kind, answer)
    return app


# --- errors ---


def error(status: int, text: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """One line that says what is wrong."""
    return JSONResponse({"error": " ".join(text.split())}, status, headers)


def _http(_: Request, reason: Any) -> JSONResponse:
    return error(reason.status_code, str(reason.detail), reason.headers)


def _invalid(_: Request, reason: Any) -> JSONResponse:
    first = reason.errors()[0]
    where = tuple(first["loc"])[1:]  # without "body"
    return error(413 if first["type"] == "too_long" else 422, complaint({**first, "loc": where}))


def _unusable(_: Request, reason: Exception) -> JSONResponse:
    text = str(reason)
    return error(413 if text.startswith("absurdly large") else 400, text.removeprefix("unreadable: "))


def _refused(_: Request, reason: Exception) -> JSONResponse:
    return error(400, str(reason))


ANSWERS: dict[type[Exception], Any] = {
    HTTPException: _http,
    RequestValidationError: _invalid,
    Unusable: _unusable,
    UserError: _refused,
}
"""Which errors are the asker's; any other one is a defect."""
