"""Explains why a subject may or may not read an object: the relationship tree, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from managed_sync.identifiers import EVERYBODY, address_key, bare_user, normalize_subject
from managed_sync.models import RelationshipNode

__all__ = ["ExpandClient", "explain", "in_words"]

# The names of everybody in the two formats of the API.
_EVERYBODY = frozenset({"*", EVERYBODY})


class ExpandClient(Protocol):
    """A client that can expand relations."""

    def expand(self, subject: str, relation: str, object_id: str) -> RelationshipNode:
        """Returns how a subject comes to have a relation to an object."""


def explain(
    client: ExpandClient,
    subject: str,
    object_id: str,
    *,
    relation: str = "viewer",
    name: Callable[[str], str] = str,
) -> str:
    """Explains why a subject may or may not read an object: the path through groups and folders.

    The explanation names other users and groups, so it is for administrators and logs, not for the
    subject.

    Args:
        client: A ``ManagedSyncClient``, or anything with its ``expand``.
        subject: Such as ``"alice@example.com"``.
        object_id: Such as ``"file:3f2a"``.
        relation: The relation to explain: viewer, editor or owner.
        name: Turns an object id into the name that people use.

    Raises:
        ApiError: The API does not answer.
        InvalidIdentifierError: ``subject`` is not one.
    """
    subject = normalize_subject(subject)
    return in_words(client.expand(subject, relation, object_id), subject, name)


def in_words(tree: RelationshipNode, subject: str, name: Callable[[str], str] = str) -> str:
    """Explains a tree from ``expand`` for its subject.

    Args:
        tree: The tree.
        subject: The subject it was expanded for.
        name: Turns an object id into the name that people use.

    Examples:
        >>> owner = RelationshipNode(
        ...     object="file:1",
        ...     relation="owner",
        ...     via="implied",
        ...     subjects=("a@x.example",),
        ...     granted=True,
        ... )
        >>> tree = RelationshipNode(
        ...     object="file:1", relation="viewer", granted=True, children=(owner,)
        ... )
        >>> print(in_words(tree, "a@x.example"))
        a@x.example is a viewer of file:1:
        - a@x.example is an owner of file:1, and an owner is a viewer.
    """
    asked = f"{_with_article(tree.relation)} of {name(tree.object)}"
    if tree.granted:
        reasons = list(_granted(tree, subject, name))
        return "\n".join([f"{subject} is {asked}:", *(f"- {reason}" for reason in reasons)])
    objects = list(_objects(tree))
    lines = [f"{subject} is not {asked}. None of these grants applies to them or their groups:"]
    for root in objects:
        holders = [
            f"{_plural(node.relation)} {', '.join(node.subjects)}"
            for node in _of_one_object(root)
            if node.subjects
        ]
        lines.append(f"- {name(root.object)}: {'; '.join(holders) or 'no grants'}")
    return "\n".join(lines)


def _granted(node: RelationshipNode, subject: str, name: Callable[[str], str]) -> Iterator[str]:
    """Yields the steps of the deciding path, from the object to the subject."""
    asked = node.relation
    while True:
        deciding = next((child for child in node.children if child.granted), None)
        holding = _with_article(node.relation)
        if _is_public(node) and not _is_direct(node, subject):
            yield f"{name(node.object)} is public: everybody is {holding}{_implying(node, asked)}."
            return
        if deciding is None or _is_direct(node, subject):
            yield f"{subject} is {holding} of {name(node.object)}{_implying(node, asked)}."
            return
        if deciding.via == "parent":
            yield f"{name(node.object)} inherits from {name(deciding.object)}."
        elif deciding.via == "member":
            yield f"{deciding.object} is {holding} of {name(node.object)}{_implying(node, asked)}."
        node = deciding


def _is_direct(node: RelationshipNode, subject: str) -> bool:
    key = address_key(bare_user(subject))
    return any(address_key(bare_user(holder)) == key for holder in node.subjects)


def _is_public(node: RelationshipNode) -> bool:
    return not _EVERYBODY.isdisjoint(node.subjects)


def _implying(node: RelationshipNode, asked: str) -> str:
    if node.relation in {asked, "member"}:
        return ""
    return f", and {_with_article(node.relation)} is {_with_article(asked)}"


def _objects(node: RelationshipNode) -> Iterator[RelationshipNode]:
    """Yields the object and those that it inherits from, each with its own nodes below it."""
    yield node
    for child in node.children:
        if child.via == "parent":
            yield from _objects(child)


def _of_one_object(node: RelationshipNode) -> Iterator[RelationshipNode]:
    yield node
    for child in node.children:
        if child.via == "implied":
            yield from _of_one_object(child)


def _with_article(relation: str) -> str:
    return f"{'an' if relation[:1] in 'aeiou' else 'a'} {relation}"


def _plural(relation: str) -> str:
    return f"{relation}s"
