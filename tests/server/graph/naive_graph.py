"""Random graphs, and an evaluation of them as naive as can be: a fixed point over single facts."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from managed_sync.server.graph.schema import GraphQuery
from tests.server.graph.graphs import Edge

USERS = ["user:a@x", "user:b@x"]
GROUPS = ["group:a", "group:b", "group:c", "organization"]
FOLDERS = ["folder:a", "folder:b", "folder:c"]
CONTENT = ["file:a", "file:b", "company:a"]
ROLES = ["owner", "editor", "viewer"]
EVERYBODY = "user:*"

_grants = st.tuples(
    st.sampled_from(CONTENT + FOLDERS),
    st.sampled_from(ROLES),
    st.sampled_from([*USERS, *GROUPS, EVERYBODY]),
)
_members = st.tuples(st.sampled_from(GROUPS), st.just("member"), st.sampled_from(USERS + GROUPS))
_parents = st.tuples(
    st.sampled_from(CONTENT + FOLDERS), st.just("parent"), st.sampled_from(FOLDERS)
)
graphs_with_circles = st.tuples(
    st.sets(_grants, max_size=6), st.sets(_members, max_size=7), st.sets(_parents, max_size=6)
).map(lambda parts: set[Edge]().union(*parts))

_order = {name: place for place, name in enumerate([*CONTENT, *FOLDERS, *GROUPS])}
# Every tuple leads onwards in one order, so that there is no way back.
graphs_without_circles = graphs_with_circles.map(
    lambda edges: {
        edge for edge in edges if edge[2] not in _order or _order[edge[0]] < _order[edge[2]]
    }
)

QUESTIONS = [
    GraphQuery(subject, relation, object_id)
    for subject in [*USERS, *GROUPS, EVERYBODY]
    for relation in [*ROLES, "reader"]
    for object_id in [*CONTENT, *FOLDERS, "file:unknown"]
] + [GraphQuery(subject, "member", group) for subject in USERS + GROUPS for group in GROUPS]


def facts_that_follow(edges: Iterable[Edge]) -> set[Edge]:
    """All (subject, relation, object) that follow from the tuples."""
    facts = {
        (user, relation, object_id)
        for object_id, relation, subject in edges
        if relation != "parent"
        for user in (USERS if subject == EVERYBODY else [subject])
    }
    while True:
        new = set()
        for subject, held, object_id in facts:
            if held in {"owner", "editor"}:
                new.add((subject, ROLES[ROLES.index(held) + 1], object_id))
            for other, relation, target in edges:
                if relation == "parent" and target == object_id and held in ROLES:
                    new.add((subject, held, other))
                if relation == "member" and other == subject:
                    new.add((target, held, object_id))
        if new <= facts:
            return {fact for fact in facts if fact[0] != fact[2]}
        facts |= new
