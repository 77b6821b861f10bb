"""Describes the settings that an index is built with, so that a change of them is noticed.

An object with a ``fingerprint`` describes itself. Any other is described by its class and its plain
settings (numbers, texts), a function by its name. Modules of this package are left out of names,
since a function that moves to another module is still the same one.

See ``docs/decisions/0044-parsers-version.md``.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from typing import Any

from managed_sync.documents.chunking.chunk_metadata import CHUNK_ID_SCHEME
from managed_sync.documents.parsing.file_parser import PARSERS_VERSION
from managed_sync.documents.vectors import Vector, similarity

__all__ = [
    "differences",
    "fingerprint",
    "model_behind_caches",
    "model_settings",
    "older_parsers",
    "says_more",
    "with_vector",
]

# Everything else may be a key, an address or a limit, which say nothing about the vectors.
_MODEL_SETTINGS = (
    "model",
    "model_name",
    "model_id",
    "model_path",
    "model_file",
    "checkpoint",
    "repo_id",
    "revision",
    "deployment",
    "deployment_name",
    "azure_deployment",
    "dimensions",
    "output_dimensionality",
    "embed_dim",
    "size",
    "task_type",
    "normalize",
    "pooling",
    "query_instruction",
    "text_instruction",
    "embed_instruction",
)
# The attribute of LangChain's cache that has the model behind it.
_CACHED = "underlying_embeddings"
_VECTOR = "vector"
_PARSERS = "version of the parsers"
_NUMBERS_KEPT = 256
# The same model differs by less between two computers; a model that was trained further by more.
_SAME_MODEL = 0.995
_DEEPEST = 5
_PACKAGE = __name__.partition(".")[0]
_OWN_MODULES = re.compile(rf"(?<![\w.]){_PACKAGE}\.(?:[a-z0-9_]+\.)+")
_EMBEDDED = "embedded text"
# The settings of indexes from before these were noted.
_ONCE_IMPLIED = {"scheme of chunk ids": "by record alone"}
_FIRST_PARSERS = 0
_BUILT_IN_PARSER = re.compile(r"\b(?:File|Kreuzberg|Unstructured)Parser\(")


def fingerprint(*, loader: object, chunker: object, target: object) -> str:
    """Returns the settings of an index as JSON: its parser, its chunker and its model.

    A target that says so adds the parts of a chunk that it embeds.
    """
    functions = ", ".join(sorted(_functions(loader)))
    parts: dict[str, str | int] = {
        "parser": _own_description(loader) or functions or _name(type(loader)),
        "chunker": _described(chunker),
        "embedding": _own_description(target) or _name(type(target)),
        "scheme of chunk ids": CHUNK_ID_SCHEME,
    }
    if embedded := getattr(target, "embedded_parts", None):
        parts[_EMBEDDED] = embedded
    if _BUILT_IN_PARSER.search(str(parts["parser"])):
        parts[_PARSERS] = PARSERS_VERSION
    return json.dumps(parts, sort_keys=True)


def with_vector(settings: str, vector: Vector | None) -> str:
    """Adds the vector that the model gives for a text that is always the same."""
    if vector is None:
        return settings
    start = [float(f"{value:.5g}") for value in vector[:_NUMBERS_KEPT]]
    parts = {**json.loads(settings), _VECTOR: {"dimensions": len(vector), "start": start}}
    return json.dumps(parts, sort_keys=True)


def differences(before: str, now: str, *, first_embedded: str | None = None) -> list[str]:
    """Returns the differences of two fingerprints, one phrase for each part.

    Another version of the built-in parsers is none: an upgrade stops no run.

    Args:
        before: The settings that the index was built with.
        now: The settings of this run.
        first_embedded: The parts of a chunk that were embedded before this was noted.
    """
    implied = {**_ONCE_IMPLIED, **({_EMBEDDED: first_embedded} if first_embedded else {})}
    old = {**implied, **json.loads(_without_own_modules(before))}
    new = json.loads(_without_own_modules(now))
    new.pop(_PARSERS, None)
    old_vector, new_vector = old.pop(_VECTOR, None), new.pop(_VECTOR, None)
    changed = [part for part in new if old.get(part) != new[part]]
    if old_vector is None and _says_less(old.get("embedding", ""), new["embedding"]):
        # An older version of this package described fewer settings of a model.
        changed = [part for part in changed if part != "embedding"]
    phrases = [f"the {part} was {old.get(part, 'unknown')} and is {new[part]}" for part in changed]
    if not phrases and old_vector and new_vector and not _are_alike(old_vector, new_vector):
        phrases.append(
            "the embedding model gives another vector for the same text, so it is another model "
            "behind the same name, path or cache"
        )
    return phrases


def older_parsers(before: str, now: str) -> int | None:
    """Returns the oldest version of the built-in parsers that made texts of an index.

    Returns:
        ``None`` if all texts are of this version, or made by a parser of the user's own.
    """
    version: int = json.loads(before).get(_PARSERS, _FIRST_PARSERS)
    return version if version != json.loads(now).get(_PARSERS, version) else None


def says_more(before: str, now: str) -> str | None:
    """Returns the settings to keep from now on, if these say more than those before."""
    completed = {**json.loads(before), **json.loads(now)}
    if _PARSERS in completed:
        # Texts of older parsers stay in the index until it is rebuilt.
        completed[_PARSERS] = json.loads(before).get(_PARSERS, _FIRST_PARSERS)
    if _VECTOR in json.loads(before):
        # Compared with the first one, so that many small steps add up.
        completed[_VECTOR] = json.loads(before)[_VECTOR]
    return json.dumps(completed, sort_keys=True) if completed != json.loads(before) else None


def _says_less(old: str, new: str) -> bool:
    """Returns whether one description of a model is the other one with settings left out."""
    (kind, _, settings), (new_kind, _, new_settings) = old.partition("("), new.partition("(")
    named = set(settings.rstrip(")").split(", ")) - {""}
    return kind == new_kind and named <= set(new_settings.rstrip(")").split(", "))


def _are_alike(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    same_length = old["dimensions"] == new["dimensions"]
    return bool(same_length and similarity(old["start"], new["start"]) >= _SAME_MODEL)


def model_settings(model: object, depth: int = 0) -> str:
    """Describes an embedding model: its class, and the settings that change its vectors.

    A model that another one wraps, as a cache does, is described with it.
    """
    attributes = _attributes(model)
    # Pydantic keeps private attributes elsewhere.
    private = getattr(model, "__pydantic_private__", None) or {}
    settings = [
        f"{name}={attributes[name]}"
        for name in _MODEL_SETTINGS
        if isinstance(attributes.get(name), str | int)
    ]
    if depth < _DEEPEST:
        settings += [
            f"{name.lstrip('_')}={model_settings(value, depth + 1)}"
            for name, value in sorted({**attributes, **private}.items())
            if _is_model(value)
        ]
    return f"{type(model).__name__}({', '.join(settings)})"


def model_behind_caches(model: Any) -> Any:
    """Returns the model that LangChain's cache asks for texts that it has not seen."""
    for _ in range(_DEEPEST):
        model = getattr(model, _CACHED, model)
    return model


def _is_model(value: object) -> bool:
    """Returns whether this is an embedding model of LangChain or LlamaIndex, by its methods."""
    return any(
        callable(getattr(type(value), name, None))
        for name in ("embed_documents", "get_text_embedding")
    )


def _own_description(thing: object) -> str | None:
    description = getattr(thing, "fingerprint", None)
    return description if isinstance(description, str) else None


def _described(thing: object) -> str:
    if description := _own_description(thing):
        return description
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
    """Describes the functions that a loader was given, also through a loader that it wraps."""
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
    return _without_own_modules(f"{thing.__module__}.{thing.__qualname__}")


def _without_own_modules(text: str) -> str:
    """Removes the modules of this package from the names in a text."""
    return _OWN_MODULES.sub(f"{_PACKAGE}.", text)
