"""Reads relationship trees, whose form the specification leaves open, into ``RelationshipNode``.

Understood are a tree of such nodes, OpenFGA's (``{"tree": {"root": ...}}``) and SpiceDB's
(``{"treeRoot": ...}``). The latter two say who was named where, which is no decision about anybody:
groups in them are not opened, and conditions left out. So their root's ``granted`` is ``None``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from managed_sync.client.wire.request import Response, parse_json, parse_model
from managed_sync.errors import ResponseFormatError
from managed_sync.identifiers import EVERYBODY, ObjectId, address_key, bare_user
from managed_sync.models import AccessCheck, RelationshipNode

__all__ = ["Naming", "parse_tree"]

Operator: TypeAlias = Literal["union", "intersection", "difference"]

_OPERATORS: dict[str, Operator] = {
    "OPERATION_UNION": "union",
    "OPERATION_INTERSECTION": "intersection",
    "OPERATION_EXCLUSION": "difference",
}
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Naming:
    """How the names in an API's tree are read.

    Attributes:
        object_id: The object id for the API's name of an object.
        relation: The relation for the API's name of one.
    """

    object_id: Callable[[str], str] = str
    relation: Callable[[str], str] = str


def parse_tree(
    response: Response, check: AccessCheck, naming: Naming | None = None
) -> RelationshipNode:
    """Reads the tree that explains a check.

    Raises:
        ResponseFormatError: It is of no known form; the message names the keys found.
    """
    document = parse_json(response)
    reader = _Reader(check, naming or Naming())
    match document:
        case {"tree": {"root": dict(root)}}:
            return reader.root(reader.openfga(root, 0))
        case {"treeRoot": dict(root)}:
            return reader.root(reader.spicedb(root, 0))
        case {"object": _, "relation": _}:
            return parse_model(RelationshipNode, document)
        case _:
            raise ResponseFormatError(
                f"The API answered {_found(document)} where a relationship tree belongs: one with "
                f"'object' and 'relation', OpenFGA's under 'tree', or SpiceDB's under 'treeRoot'."
            )


@dataclass(frozen=True, slots=True)
class _Place:
    """The object and the relation that a node is about."""

    object: str
    relation: str


class _Reader:
    def __init__(self, check: AccessCheck, naming: Naming) -> None:
        self._subject = address_key(bare_user(check.subject))
        self._asked = _Place(check.object, check.relation)
        self._naming = naming

    def root(self, node: RelationshipNode) -> RelationshipNode:
        return node.model_copy(update={"granted": None})

    def openfga(self, node: Mapping[str, Any], depth: int) -> RelationshipNode:
        name = node.get("name") or node.get("type")
        place = self._place(name) if isinstance(name, str) and name else self._asked
        match node:
            case {"leaf": dict(leaf)}:
                return self._openfga_leaf(place, leaf)
            case {"union": {"nodes": list(parts)}}:
                return self._made_of(place, "union", parts, self.openfga, depth)
            case {"intersection": {"nodes": list(parts)}}:
                return self._made_of(place, "intersection", parts, self.openfga, depth)
            case {"difference": {"base": base, "subtract": subtracted}}:
                return self._made_of(place, "difference", [base, subtracted], self.openfga, depth)
            case _:
                raise _unreadable(node)

    def spicedb(self, node: Mapping[str, Any], depth: int) -> RelationshipNode:
        place = self._asked
        match node.get("expandedObject"):
            case {"objectType": str(kind), "objectId": str(name)}:
                relation = self._naming.relation(str(node.get("expandedRelation") or ""))
                place = _Place(self._naming.object_id(str(ObjectId(kind, name))), relation)
        match node:
            case {"intermediate": {"operation": str(said), "children": list(parts)}} if (
                said in _OPERATORS
            ):
                return self._made_of(place, _OPERATORS[said], parts, self.spicedb, depth)
            case {"leaf": {"subjects": list(subjects)}}:
                return self._named(place, [_spicedb_subject(each) for each in subjects])
            case {"leaf": dict(leaf)} if not leaf:
                return self._named(place, [])
            case _:
                raise _unreadable(node)

    def _openfga_leaf(self, place: _Place, leaf: Mapping[str, Any]) -> RelationshipNode:
        match leaf:
            case {"users": {"users": list(users)}}:
                return self._named(place, users)
            case {"users": dict(users)} if not users:
                return self._named(place, [])
            case {"computed": {"userset": str(userset)}}:
                return self._node(place, children=[self._elsewhere(place, userset)])
            case {"tupleToUserset": {"computed": list(computed)}}:
                usersets = [each.get("userset") for each in computed if isinstance(each, dict)]
                if len(usersets) == len(computed) and all(isinstance(u, str) for u in usersets):
                    children = [self._elsewhere(place, str(each)) for each in usersets]
                    return self._node(place, children=children)
        raise _unreadable(leaf)

    def _named(self, place: _Place, names: Iterable[Any]) -> RelationshipNode:
        """A node at which subjects are named; a group among them is a node of its own."""
        subjects, groups = [], []
        for name in names:
            if not isinstance(name, str) or not name:
                raise _unreadable(name)
            if "#" in name:
                of_group = self._place(name)
                groups.append(_unknown(of_group, "member"))
            else:
                subjects.append(bare_user(name))
        return self._node(place, subjects, groups)

    def _elsewhere(self, place: _Place, userset: str) -> RelationshipNode:
        """A relation that the API names without opening it."""
        other = self._place(userset)
        return _unknown(other, "implied" if other.object == place.object else "parent")

    def _made_of(
        self,
        place: _Place,
        operation: Operator,
        parts: Iterable[Any],
        read: Callable[[Mapping[str, Any], int], RelationshipNode],
        depth: int,
    ) -> RelationshipNode:
        if depth >= _DEEPEST:
            raise ResponseFormatError("The API's relationship tree is too deep to be one.")
        nodes = []
        for part in parts:
            if not isinstance(part, dict):
                raise _unreadable(part)
            nodes.append(read(part, depth + 1))
        if operation != "union":
            return self._node(place, children=nodes, operation=operation)
        subjects: list[str] = []
        children: list[RelationshipNode] = []
        for node in nodes:
            # What is about the same relation is one node; only another operation stays apart.
            if _Place(node.object, node.relation) == place and node.operation == "union":
                subjects += node.subjects
                children += node.children
            else:
                same = node.object == place.object
                children.append(node.model_copy(update={"via": "implied" if same else "parent"}))
        return self._node(place, subjects, children)

    def _node(
        self,
        place: _Place,
        subjects: Iterable[str] = (),
        children: Iterable[RelationshipNode] = (),
        operation: Operator = "union",
    ) -> RelationshipNode:
        node = RelationshipNode(
            object=place.object,
            relation=place.relation,
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

    def _place(self, name: str) -> _Place:
        object_name, _, relation = name.rpartition("#")
        if not object_name or not relation:
            raise ResponseFormatError(
                "The API's tree has a name that is not one of an object with a relation."
            )
        return _Place(self._naming.object_id(object_name), self._naming.relation(relation))


def _unknown(place: _Place, via: Literal["implied", "parent", "member"]) -> RelationshipNode:
    return RelationshipNode(object=place.object, relation=place.relation, via=via, granted=None)


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
        f"The API's relationship tree has {_found(value)} where a node of it belongs."
    )


def _found(value: Any) -> str:
    return str(sorted(value)) if isinstance(value, dict) else type(value).__name__
