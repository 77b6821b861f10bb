"""Reads relationship trees, whose form the specification leaves open, into ``RelationshipNode``.

It reads a tree of such nodes, OpenFGA's (``{"tree": {"root": ...}}``) and SpiceDB's
(``{"treeRoot": ...}``). The latter two list the subjects named at each node, which is no decision
about anybody: their groups are not expanded, and conditions are left out. Therefore the ``granted``
of their root is ``None``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from managed_sync.client.wire.response import Response, described, parse_json, parse_model
from managed_sync.errors import ResponseFormatError
from managed_sync.identifiers import EVERYBODY, ObjectId, address_key, bare_user
from managed_sync.models import AccessCheck, RelationshipNode

__all__ = ["NameMapping", "parse_tree"]

Operator: TypeAlias = Literal["union", "intersection", "difference"]

_OPERATORS: dict[str, Operator] = {
    "OPERATION_UNION": "union",
    "OPERATION_INTERSECTION": "intersection",
    "OPERATION_EXCLUSION": "difference",
}
_MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class NameMapping:
    """Translates the names in an API's tree.

    Attributes:
        object_id: Returns the object id for the API's name of an object.
        relation: Returns the relation for the API's name of a relation.
    """

    object_id: Callable[[str], str] = str
    relation: Callable[[str], str] = str


def parse_tree(
    response: Response, check: AccessCheck, names: NameMapping | None = None
) -> RelationshipNode:
    """Reads the tree that explains a check.

    Raises:
        ResponseFormatError: The tree has an unknown form. The message names the keys found.
    """
    document = parse_json(response)
    reader = _Reader(check, names or NameMapping())
    match document:
        case {"tree": {"root": dict(root)}}:
            return reader.root(reader.openfga(root, 0))
        case {"treeRoot": dict(root)}:
            return reader.root(reader.spicedb(root, 0))
        case {"object": _, "relation": _}:
            return parse_model(RelationshipNode, document)
        case _:
            raise ResponseFormatError(
                f"Expected a relationship tree in the API's response, with 'object' and "
                f"'relation', OpenFGA's 'tree' or SpiceDB's 'treeRoot', got "
                f"{described(document, keys=True)}."
            )


@dataclass(frozen=True, slots=True)
class _Userset:
    """An object and a relation, which a node is about."""

    object: str
    relation: str


class _Reader:
    def __init__(self, check: AccessCheck, names: NameMapping) -> None:
        self._subject = address_key(bare_user(check.subject))
        self._asked = _Userset(check.object, check.relation)
        self._names = names

    def root(self, node: RelationshipNode) -> RelationshipNode:
        return node.model_copy(update={"granted": None})

    def openfga(self, node: Mapping[str, Any], depth: int) -> RelationshipNode:
        name = node.get("name") or node.get("type")
        userset = self._userset(name) if isinstance(name, str) and name else self._asked
        match node:
            case {"leaf": dict(leaf)}:
                return self._openfga_leaf(userset, leaf)
            case {"union": {"nodes": list(parts)}}:
                return self._made_of(userset, "union", parts, self.openfga, depth)
            case {"intersection": {"nodes": list(parts)}}:
                return self._made_of(userset, "intersection", parts, self.openfga, depth)
            case {"difference": {"base": base, "subtract": subtracted}}:
                return self._made_of(userset, "difference", [base, subtracted], self.openfga, depth)
            case _:
                raise _unreadable(node)

    def spicedb(self, node: Mapping[str, Any], depth: int) -> RelationshipNode:
        userset = self._asked
        match node.get("expandedObject"):
            case {"objectType": str(kind), "objectId": str(name)}:
                relation = self._names.relation(str(node.get("expandedRelation") or ""))
                userset = _Userset(self._names.object_id(str(ObjectId(kind, name))), relation)
        match node:
            case {"intermediate": {"operation": str(name), "children": list(parts)}} if (
                name in _OPERATORS
            ):
                return self._made_of(userset, _OPERATORS[name], parts, self.spicedb, depth)
            case {"leaf": {"subjects": list(subjects)}}:
                return self._named(userset, [_spicedb_subject(each) for each in subjects])
            case {"leaf": dict(leaf)} if not leaf:
                return self._named(userset, [])
            case _:
                raise _unreadable(node)

    def _openfga_leaf(self, userset: _Userset, leaf: Mapping[str, Any]) -> RelationshipNode:
        match leaf:
            case {"users": {"users": list(users)}}:
                return self._named(userset, users)
            case {"users": dict(users)} if not users:
                return self._named(userset, [])
            case {"computed": {"userset": str(name)}}:
                return self._node(userset, children=[self._elsewhere(userset, name)])
            case {"tupleToUserset": {"computed": list(computed)}}:
                usersets = [each.get("userset") for each in computed if isinstance(each, dict)]
                if len(usersets) == len(computed) and all(isinstance(u, str) for u in usersets):
                    children = [self._elsewhere(userset, str(each)) for each in usersets]
                    return self._node(userset, children=children)
        raise _unreadable(leaf)

    def _named(self, userset: _Userset, names: Iterable[Any]) -> RelationshipNode:
        """Returns a node with subjects; each group among them is a node of its own below it."""
        subjects, groups = [], []
        for name in names:
            if not isinstance(name, str) or not name:
                raise _unreadable(name)
            if "#" in name:
                of_group = self._userset(name)
                groups.append(_unknown(of_group, "member"))
            else:
                subjects.append(bare_user(name))
        return self._node(userset, subjects, groups)

    def _elsewhere(self, userset: _Userset, name: str) -> RelationshipNode:
        """Returns a node for a relation that the API names without expanding it."""
        other = self._userset(name)
        return _unknown(other, "implied" if other.object == userset.object else "parent")

    def _made_of(
        self,
        userset: _Userset,
        operation: Operator,
        parts: Iterable[Any],
        read: Callable[[Mapping[str, Any], int], RelationshipNode],
        depth: int,
    ) -> RelationshipNode:
        if depth >= _MAX_DEPTH:
            raise ResponseFormatError(
                f"The API's relationship tree is nested more than {_MAX_DEPTH} levels deep."
            )
        nodes = []
        for part in parts:
            if not isinstance(part, dict):
                raise _unreadable(part)
            nodes.append(read(part, depth + 1))
        if operation != "union":
            return self._node(userset, children=nodes, operation=operation)
        subjects: list[str] = []
        children: list[RelationshipNode] = []
        for node in nodes:
            # Unions about the same relation become one node. Other operations stay apart.
            if _Userset(node.object, node.relation) == userset and node.operation == "union":
                subjects += node.subjects
                children += node.children
            else:
                same = node.object == userset.object
                children.append(node.model_copy(update={"via": "implied" if same else "parent"}))
        return self._node(userset, subjects, children)

    def _node(
        self,
        userset: _Userset,
        subjects: Iterable[str] = (),
        children: Iterable[RelationshipNode] = (),
        operation: Operator = "union",
    ) -> RelationshipNode:
        node = RelationshipNode(
            object=userset.object,
            relation=userset.relation,
            subjects=tuple(dict.fromkeys(subjects)),
            children=tuple(children),
            operation=operation,
        )
        return node.model_copy(update={"granted": self._is_granted(node)})

    def _is_granted(self, node: RelationshipNode) -> bool | None:
        parts = [child.granted for child in node.children]
        if node.operation == "intersection":
            return _all(parts)
        if node.operation == "difference":
            return _all([*parts[:1], *(None if part is None else not part for part in parts[1:])])
        if any(address_key(name) in {self._subject, EVERYBODY} for name in node.subjects):
            return True
        return True if True in parts else None if None in parts else False

    def _userset(self, name: str) -> _Userset:
        object_name, _, relation = name.rpartition("#")
        if not object_name or not relation:
            raise ResponseFormatError(
                "Expected names such as 'file:abc123#viewer' in the API's relationship tree, got "
                "a name without an object or a relation."
            )
        return _Userset(self._names.object_id(object_name), self._names.relation(relation))


def _unknown(userset: _Userset, via: Literal["implied", "parent", "member"]) -> RelationshipNode:
    return RelationshipNode(object=userset.object, relation=userset.relation, via=via, granted=None)


def _all(parts: Iterable[bool | None]) -> bool | None:
    known = list(parts)
    return False if False in known else None if None in known else True


def _spicedb_subject(item: Any) -> str:
    match item:
        case {"object": {"objectType": str(kind), "objectId": str(name)}} if kind and name:
            relation = item.get("optionalRelation")
            return f"{ObjectId(kind, name)}#{relation}" if relation else str(ObjectId(kind, name))
        case _:
            raise _unreadable(item)


def _unreadable(value: Any) -> ResponseFormatError:
    return ResponseFormatError(
        f"Expected a node in the API's relationship tree, got {described(value, keys=True)}."
    )
