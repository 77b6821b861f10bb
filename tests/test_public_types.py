"""Every type in a public signature can be imported from a public package."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

import pytest

PACKAGES = [
    "managed_sync",
    "managed_sync.documents",
    "managed_sync.indexing",
    "managed_sync.langchain",
    "managed_sync.llama_index",
    "managed_sync.server",
]
# Special methods that callers use without writing their names.
SPECIAL = {
    "__aenter__",
    "__aiter__",
    "__anext__",
    "__call__",
    "__enter__",
    "__getitem__",
    "__init__",
    "__iter__",
    "__new__",
    "__next__",
}
# Callers get these from a method and never make one.
NOT_MADE_BY_CALLERS = {"PipelineLedger"}


@dataclass(frozen=True)
class Annotation:
    """The names in one annotation, with the module whose names they are."""

    where: str
    module: str
    names: tuple[str, ...]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_type_in_a_signature_is_public(package: str) -> None:
    private = {
        f"{annotation.where}: {name}"
        for annotation in _annotations(package)
        for name in annotation.names
        if _is_private(annotation.module, name)
    }

    assert not private


def test_the_walk_sees_arguments_results_fields_aliases_and_what_is_inherited() -> None:
    seen = {
        (annotation.where, name)
        for package in PACKAGES
        for annotation in _annotations(package)
        for name in annotation.names
    }

    assert {
        ("managed_sync.ManagedSyncClient.__init__", "TokenCallable"),
        ("managed_sync.ManagedSyncClient.stream_content", "ContentStream"),
        ("managed_sync.RetrievalReport", "Doubt"),
        ("managed_sync.langchain.PermissionAwareRetriever", "Strategy"),
        ("managed_sync.indexing.IndexSync.__init__", "Retries"),
    } <= seen


def _annotations(package: str) -> Iterator[Annotation]:
    module = importlib.import_module(package)
    for name in module.__all__:
        member = getattr(module, name)
        where = f"{package}.{name}"
        if isinstance(member, type):
            yield from _of_class(member, where)
        elif isinstance(member, FunctionType):
            yield from _of_function(member, where)
        elif (origin := _origin(package, name)) and (value := _value_of(*origin)):
            yield Annotation(where, origin[0], _named_in(value))


def _of_class(kind: type, where: str) -> Iterator[Annotation]:
    for base in kind.__mro__:
        if not base.__module__.startswith("managed_sync"):
            continue
        for name, annotation in inspect.get_annotations(base).items():
            if not name.startswith("_"):
                yield Annotation(where, base.__module__, _names(annotation))
        for name, member in vars(base).items():
            function = _function(member)
            is_called = name in SPECIAL if name.startswith("_") else True
            if name == "__init__" and kind.__name__ in NOT_MADE_BY_CALLERS:
                is_called = False
            if function is not None and is_called:
                yield from _of_function(function, f"{where}.{name}")


def _function(member: Any) -> FunctionType | None:
    if isinstance(member, staticmethod | classmethod):
        member = member.__func__
    elif isinstance(member, property):
        member = member.fget
    member = inspect.unwrap(getattr(member, "func", member)) if callable(member) else member
    return member if isinstance(member, FunctionType) else None


def _of_function(function: FunctionType, where: str) -> Iterator[Annotation]:
    function = inspect.unwrap(function)
    # What dataclasses write themselves is in their fields too.
    if (
        function.__module__.startswith("managed_sync")
        and function.__code__.co_filename != "<string>"
    ):
        for annotation in inspect.get_annotations(function).values():
            yield Annotation(where, function.__module__, _names(annotation))


def _names(annotation: object) -> tuple[str, ...]:
    # A TypedDict wraps what is written.
    written = getattr(annotation, "__forward_arg__", annotation)
    assert isinstance(written, str), "the module needs 'from __future__ import annotations'"
    return _named_in(ast.parse(written, mode="eval"))


def _named_in(tree: ast.AST) -> tuple[str, ...]:
    return tuple(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def _is_private(module: str, name: str) -> bool:
    """Returns whether a name is a type of this project that no public package exports."""
    origin = _origin(module, name)
    if origin is None or origin in _public() or _is_parameter(*origin):
        return False
    value = _value_of(*origin) if name.startswith("_") else None
    if value is not None:
        return any(_is_private(origin[0], each) for each in _named_in(value))
    return True


@cache
def _public() -> frozenset[tuple[str, str]]:
    return frozenset(
        origin
        for package in PACKAGES
        for name in importlib.import_module(package).__all__
        if (origin := _origin(package, name))
    )


def _is_parameter(module: str, name: str) -> bool:
    return isinstance(getattr(sys.modules[module], name), TypeVar | ParamSpec)


@cache
def _origin(module: str, name: str) -> tuple[str, str] | None:
    """The module that defines a name, and what it is called there; ``None`` if it is not ours."""
    for statement in _statements(module):
        match statement:
            case ast.ImportFrom(module=str(source), names=names):
                for each in names:
                    if (each.asname or each.name) == name:
                        ours = source.startswith("managed_sync")
                        return _origin(source, each.name) if ours else None
            case ast.ClassDef(name=defined) | ast.AnnAssign(target=ast.Name(id=defined)):
                if defined == name:
                    return module, name
            case ast.Assign(targets=[ast.Name(id=defined)]):
                if defined == name:
                    return module, name
    return None


def _value_of(module: str, name: str) -> ast.expr | None:
    """The expression that an alias stands for."""
    for statement in _statements(module):
        match statement:
            case ast.AnnAssign(target=ast.Name(id=defined), value=value) if defined == name:
                return value
            case ast.Assign(targets=[ast.Name(id=defined)], value=value) if defined == name:
                return value
    return None


@cache
def _statements(module: str) -> list[ast.stmt]:
    """The statements of a module, those for type checkers alone among them."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    inner = [each.body for each in tree.body if isinstance(each, ast.If | ast.Try)]
    return [*tree.body, *chain.from_iterable(inner)]
