"""Values from one YAML file written into another, whose comments and order stay."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from ruamel.yaml.error import YAMLError

from roigan.config.reading import parse_params, read_commented, read_yaml, write_yaml
from roigan.config.systems.by_name import PARAMS
from roigan.errors import UserError, brief
from roigan.files.atomic import writing

SYSTEM_BLOCKS = ("model", "losses")  # every system has its own keys in them
WHOLE = ("masks.train", "tune.space")  # what is listed in it is all there is


def apply(preset: Path, params: Path = Path("params.yaml")) -> list[str]:
    """Write a preset's values into params.yaml; returns what changed, as `key: old -> new`.

    Where the preset names another system, its blocks `model` and `losses` replace those of the file. Raises
    UserError, and leaves the file as it was, where the result would not be valid.
    """
    for path in (preset, params):
        if path.is_dir():
            raise UserError(f"{path} is a folder; name a file in it")
        if not path.is_file():
            raise UserError(f"{path} does not exist")
    try:
        values = read_yaml(preset.read_text())
        content, written = (read_commented(path.read_text()) for path in (params, preset))
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{preset} or {params} is not valid YAML: {brief(error)}") from None
    if not isinstance(values, Mapping):
        raise UserError(f"{preset} holds no blocks like those of {params}")
    changes = []
    if _system(values) is None:
        _refuse_foreign(values, _system(content), preset, params)
    elif _system(values) != _system(content):
        changes = _replace(content, written)
    changes += _merge(content, values)
    text = write_yaml(content)
    parse_params(read_yaml(text), str(preset))
    with writing(params) as unfinished:
        unfinished.write_text(text)
    return changes


def _system(content: Any) -> Any:
    """The system that a file names, if it names one."""
    model = content.get("model") if isinstance(content, Mapping) else None
    return model.get("system") if isinstance(model, Mapping) else None


def _refuse_foreign(values: Mapping[str, Any], system: Any, preset: Path, params: Path) -> None:
    """Raise UserError for a key of a preset that other systems know, and the file's own does not."""
    for block in SYSTEM_BLOCKS:
        named = values.get(block)
        for key in named if isinstance(named, Mapping) else ():
            others = [name for name, schema in PARAMS.items() if key in _keys(schema, block)]
            if others and system not in others:
                raise UserError(
                    f"{preset} sets {block}.{key} of {' or '.join(others)}, but {params} describes {system}; "
                    f"go back to a {params.name} of {others[0]} first (git checkout {params})"
                )


def _keys(schema: type[BaseModel], block: str) -> Mapping[str, Any]:
    annotation: Any = schema.model_fields[block].annotation
    keys: Mapping[str, Any] = annotation.model_fields
    return keys


def _replace(target: Any, values: Any) -> list[str]:
    """Put whole blocks, comments included, in the place of those whose keys are another system's."""
    changes = []
    for key in SYSTEM_BLOCKS:
        if key in values:
            changes.append(f"{key}: {target.get(key)} -> {values[key]}")
            target[key] = values[key]
            target.ca.items.pop(key, None)  # what was said of the old block
    return changes


def _merge(target: MutableMapping[str, Any], values: Mapping[str, Any], prefix: str = "") -> list[str]:
    changes = []
    for key, value in values.items():
        old = target.get(key)
        whole = f"{prefix}{key}" in WHOLE
        if isinstance(value, Mapping) and isinstance(old, MutableMapping) and not whole:
            changes += _merge(old, value, f"{prefix}{key}.")
        elif old != value:
            target[key] = value
            changes.append(f"{prefix}{key}: {old} -> {value}")
    return changes
