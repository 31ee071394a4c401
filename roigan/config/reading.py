"""Reading params.yaml: YAML, the choice of the system's schema, and complaints in one line."""

from __future__ import annotations

import copy
import difflib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from roigan.config.blocks import ModelParams
from roigan.config.inference import SearchParams
from roigan.config.layout import comments_above
from roigan.config.params import Params
from roigan.config.systems.by_name import MODELS, PARAMS
from roigan.errors import UserError, brief

PRIOR_BLOCKS = {"model", "losses", "penalty", "train"}
T = TypeVar("T", bound=BaseModel)


def read_yaml(text: str) -> Any:
    """The content of a YAML 1.2 text, in which 3e-4 is a number; plain data only.

    Raises ruamel's YAMLError, also for a key that stands twice.
    """
    return YAML(typ="safe", pure=True).load(text)


def write_yaml(content: Any) -> str:
    """YAML 1.2 text in block style; keys in their order, and comments where `read_commented` found them."""
    text = io.StringIO()
    _commented().dump(content, text)
    return text.getvalue()


def read_commented(text: str) -> Any:
    """The content of a YAML text with its comments, for `write_yaml`; raises ruamel's YAMLError."""
    above = comments_above(text)
    try:
        same = read_yaml(above) == read_yaml(text)
    except YAMLError:  # of the text itself, or of a # inside a value
        same = False
    return _commented().load(above if same else text)


def _commented() -> YAML:
    keeping = YAML()
    keeping.width = 1000  # no line is broken
    keeping.indent(mapping=2, sequence=4, offset=2)
    null = "tag:yaml.org,2002:null"
    keeping.representer.add_representer(type(None), lambda to, _: to.represent_scalar(null, "null"))
    return keeping


def search_params(path: Path | None) -> SearchParams:
    """The block `search` of a YAML file, or its defaults without one; complaints as of `load_params`."""
    if path is None:
        return SearchParams()
    try:
        content = read_file(path)
    except OSError as error:
        raise UserError(f"--search {path}: {error.strerror}") from None
    if not isinstance(content, Mapping) or "search" not in content:
        raise UserError(f"{path} has no block `search`")
    return _valid(SearchParams, content["search"], f"{path}: search")


def load_params(path: str | Path = "params.yaml") -> Params:
    """Read and check a parameter file.

    Raises UserError with one line that names the key for a missing or malformed file, an unknown key or an
    ill-typed value.
    """
    try:
        content = read_file(Path(path))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; run from the project's folder") from None
    return parse_params(content, str(path))


def read_file(path: Path) -> Any:
    """The content of a YAML file. UserError where it is none; FileNotFoundError where it is not there."""
    try:
        return read_yaml(path.read_text())
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {brief(error)}") from None


def parse_params(content: Any, origin: str = "params.yaml") -> Params:
    """Check a parsed parameter file; see `load_params`."""
    model = content.get("model") if isinstance(content, Mapping) else None
    return _checked(content, PARAMS, model, Params, origin)


def prior_params(params: Params) -> Params | None:
    """What the stage `prior` trains with; None where there is no prior.

    Raises UserError for blocks that it does not have, and for what params.yaml would refuse of its own.
    """
    if params.prior is None:
        return None
    if foreign := set(params.prior) - PRIOR_BLOCKS:
        raise UserError(
            f"params.yaml: prior.{min(foreign)} is not known; prior has {', '.join(sorted(PRIOR_BLOCKS))}"
        )
    content = params.model_dump(mode="json", by_alias=True) | {"prior": None, "gates": []}
    content["train"] |= params.prior.get("train", {})
    content |= {name: params.prior.get(name, {}) for name in ("model", "losses")}
    content["penalty"] |= params.prior.get("penalty", {})
    return parse_params(content, "params.yaml: prior")


def parse_model(content: Any, origin: str) -> ModelParams:
    """Check a block `model` alone, as it lies beside trained weights."""
    return _checked(content, MODELS, content, ModelParams, origin)


def _checked(content: Any, schemas: Mapping[str, type[T]], model: Any, shared: type[T], origin: str) -> T:
    """`content` by the schema of the system that the block `model` names.

    Where it names none, the schema that all systems share has the complaint.
    """
    system = model.get("system") if isinstance(model, Mapping) else None
    if isinstance(system, str) and system not in schemas:
        raise UserError(f"{origin}: model.system: {system!r} is unknown; known are {', '.join(schemas)}")
    return _valid(schemas[system] if isinstance(system, str) else shared, content, origin)


def _valid(schema: type[T], content: Any, origin: str) -> T:
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{origin}: {_first_complaint(error, schema)}") from None


def changed(params: Params, changes: Mapping[str, Any]) -> Params:
    """The parameters with some keys, by their dotted names ("train.steps"), replaced and checked again."""
    content = params.model_dump(mode="json", by_alias=True)
    for key, value in changes.items():
        *blocks, last = key.split(".")
        target = content
        for block in blocks:
            if not isinstance(target.get(block), dict):
                raise UserError(f"{key}: there is no block {block}")
            target = target[block]
        target[last] = copy.deepcopy(value)  # a later key may lie in it
    return parse_params(content)


def _first_complaint(error: ValidationError, schema: type[BaseModel]) -> str:
    first, *others = error.errors()
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key {where}{_suggestion(first['loc'], schema)}"
    if first["type"] == "missing":
        return f"{where} is missing"
    message = first["msg"].removeprefix("Value error, ")
    if first["loc"][-1:] and first["loc"][-1] in ("bool", "float", "int", "str"):  # one of several kinds
        where = ".".join(str(part) for part in first["loc"][:-1])
        rest = [other["msg"] for other in others if other["loc"][:-1] == first["loc"][:-1]]
        message = " or ".join([message, *(text.removeprefix("Input should be ") for text in rest)])
    given = first["input"]
    shown = f" (got {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{where + ': ' if where else ''}{message}{shown}"


def _suggestion(location: tuple[int | str, ...], block: type[BaseModel]) -> str:
    """' (did you mean ...?)' where a known key of the same block is spelled alike."""
    for part in location[:-1]:
        field = block.model_fields.get(str(part)) or block.model_fields.get(f"{part}_")
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ""
        block = annotation
    known = [field.alias or name for name, field in block.model_fields.items()]
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f" (did you mean {'.'.join([*map(str, location[:-1]), close[0]])}?)" if close else ""
