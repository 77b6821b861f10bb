"""What an index is built with, in words, so that a change of it is noticed.

Whatever has a ``fingerprint`` says itself what matters. Anything else is described by its class and
its plain settings (numbers, texts), a function by its name.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

from managed_sync.documents.chunk_ids import CHUNK_ID_SCHEME

__all__ = ["differences", "fingerprint", "model_settings"]

# Everything else may be a key, an address or a limit, which say nothing about the vectors.
_MODEL_SETTINGS = (
    "model",
    "model_name",
    "model_id",
    "deployment",
    "deployment_name",
    "azure_deployment",
    "dimensions",
    "embed_dim",
    "size",
    "task_type",
    "query_instruction",
    "text_instruction",
)
_PACKAGE = __name__.partition(".")[0]
# Indexes from before it was noted have this.
_NOT_NOTED_ONCE = {"scheme of chunk ids": "by record alone"}


def fingerprint(*, loader: object, chunker: object, target: object) -> str:
    """The settings of an index as JSON: what parses, what chunks, what embeds."""
    parts = {
        "parser": _said(loader) or ", ".join(sorted(_functions(loader))) or _name(type(loader)),
        "chunker": _described(chunker),
        "embedding": _said(target) or _name(type(target)),
        "scheme of chunk ids": CHUNK_ID_SCHEME,
    }
    return json.dumps(parts, sort_keys=True)


def differences(before: str, now: str) -> list[str]:
    """What changed between two fingerprints, one phrase for each part."""
    old, new = {**_NOT_NOTED_ONCE, **json.loads(before)}, json.loads(now)
    return [
        f"the {part} was {old.get(part, 'unknown')} and is {new[part]}"
        for part in new
        if old.get(part) != new[part]
    ]


def model_settings(model: object) -> str:
    """An embedding model in words: its class, and those of its settings that change its vectors."""
    attributes = _attributes(model)
    settings = [
        f"{name}={attributes[name]}"
        for name in _MODEL_SETTINGS
        if isinstance(attributes.get(name), str | int)
    ]
    return f"{type(model).__name__}({', '.join(settings)})"


def _said(thing: object) -> str | None:
    said = getattr(thing, "fingerprint", None)
    return said if isinstance(said, str) else None


def _described(thing: object) -> str:
    if said := _said(thing):
        return said
    if inspect.isroutine(thing):
        return _name(thing)
    settings = {
        name.lstrip("_"): text
        for name, value in sorted(_attributes(thing).items())
        if (text := _setting(value)) is not None
    }
    return f"{type(thing).__name__}({', '.join(f'{k}={v}' for k, v in settings.items())})"


def _setting(value: object) -> str | None:
    if isinstance(value, str | int | float | bool):
        return str(value)
    if isinstance(value, Mapping):
        return None
    if type(value).__module__.partition(".")[0] == _PACKAGE:
        return _described(value)
    name = getattr(value, "name", None)
    return name if isinstance(name, str) else None


def _functions(loader: object) -> set[str]:
    """The functions that a loader was given, such as its parser; also through one it wraps."""
    found = set()
    for name, value in _attributes(loader).items():
        if hasattr(value, "load_records"):
            found |= _functions(value)
        elif inspect.isroutine(value) or (callable(value) and "parse" in name):
            found.add(f"{name.lstrip('_')}={_described(value)}")
        elif isinstance(value, Mapping):
            found |= {f"{key}={_described(one)}" for key, one in value.items() if callable(one)}
    return found


def _attributes(thing: object) -> dict[str, Any]:
    return dict(getattr(thing, "__dict__", {}))


def _name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"
