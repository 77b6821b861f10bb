"""Relationship trees in words."""

from __future__ import annotations

from managed_sync.access.explain import in_words
from managed_sync.models import RelationshipNode

MARIA = "maria@x.example"


def node(object_id: str, relation: str = "viewer", **more: object) -> RelationshipNode:
    return RelationshipNode.model_validate({"object": object_id, "relation": relation, **more})


def test_the_way_through_a_folder_a_stronger_relation_and_nested_groups() -> None:
    emea = node("group:sales-emea", "member", via="member", subjects=(MARIA,), granted=True)
    sales = node(
        "group:sales",
        "member",
        via="member",
        subjects=("group:sales-emea",),
        granted=True,
        children=(emea,),
    )
    editor = node(
        "folder:2",
        "editor",
        via="implied",
        subjects=("group:sales",),
        granted=True,
        children=(sales,),
    )
    folder = node("folder:2", via="parent", granted=True, children=(editor,))
    tree = node("file:1", granted=True, children=(node("file:1", "editor"), folder))
    names = {"file:1": "file /Plans/a.pdf", "folder:2": "folder /Plans"}

    assert in_words(tree, MARIA, lambda key: names.get(key, key)).splitlines() == [
        f"{MARIA} is a viewer of file /Plans/a.pdf:",
        "- file /Plans/a.pdf inherits from folder /Plans.",
        "- group:sales is an editor of folder /Plans, and an editor is a viewer.",
        "- group:sales-emea is a member of group:sales.",
        f"- {MARIA} is a member of group:sales-emea.",
    ]


def test_a_direct_grant_whatever_the_case_of_the_address() -> None:
    tree = node("file:1", granted=True, subjects=(MARIA,))

    assert in_words(tree, "Maria@X.example").splitlines()[1] == (
        "- Maria@X.example is a viewer of file:1."
    )


def test_a_denial_names_who_holds_the_relation_at_each_place() -> None:
    owner = node("folder:2", "owner", via="implied", subjects=("dan@x.example",))
    folder = node("folder:2", via="parent", subjects=("group:hr",), children=(owner,))
    tree = node("file:1", children=(folder,))

    assert in_words(tree, MARIA).splitlines() == [
        f"{MARIA} is not a viewer of file:1. None of these grants applies to them or their groups:",
        "- file:1: no grants",
        "- folder:2: viewers group:hr; owners dan@x.example",
    ]


def test_what_is_public_is_so_for_everybody_and_not_by_a_grant_to_the_subject() -> None:
    owner = node("folder:2", "owner", via="implied", subjects=("user:*",), granted=True)
    folder = node("folder:2", via="parent", subjects=("*",), granted=True)
    tree = node("file:1", granted=True, children=(folder,))

    assert in_words(tree, MARIA).splitlines()[1:] == [
        "- file:1 inherits from folder:2.",
        "- folder:2 is public: everybody is a viewer.",
    ]
    by_owner = node("folder:2", granted=True, children=(owner,))
    assert in_words(by_owner, MARIA).splitlines()[1:] == [
        "- folder:2 is public: everybody is an owner, and an owner is a viewer.",
    ]


def test_who_is_named_beside_everybody_is_told_so() -> None:
    tree = node("folder:2", subjects=("user:*", MARIA), granted=True)

    assert in_words(tree, MARIA).splitlines()[1] == f"- {MARIA} is a viewer of folder:2."
