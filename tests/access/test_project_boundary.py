"""A checker decides about the objects of one project, and nothing else in the store is returned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core.schema import NodeWithScore, TextNode

from managed_sync import AccessChecker
from managed_sync.access.checker import ProjectBoundary
from managed_sync.errors import ConfigurationError
from managed_sync.langchain import PermissionAwareRetriever, PermissionFilter
from managed_sync.llama_index import PermissionPostprocessor
from managed_sync.retrieval.effects import Strategy
from tests.support.frameworks import STRATEGIES
from tests.support.hash_embeddings import HashEmbeddings
from tests.support.permission_service import FakePermissionService, everything

USER = "ann@x.example"


def everything_listed(*objects: str, project_id: str | None = None) -> FakePermissionService:
    """A service that allows everything, and lists these objects."""
    service = FakePermissionService(*objects, project_id=project_id)
    service.may_read = everything
    return service


def of_north(*objects: str) -> FakePermissionService:
    return everything_listed(*objects, project_id="north")


def document(number: int, object_id: str = "ticket:1", **metadata: Any) -> Document:
    return Document(
        f"text {number}", id=f"c{number}", metadata={"object_id": object_id, **metadata}
    )


def retriever(
    documents: Sequence[Document], checker: AccessChecker, **settings: Any
) -> PermissionAwareRetriever:
    store = InMemoryVectorStore(HashEmbeddings())
    store.add_documents(list(documents))
    return PermissionAwareRetriever(
        vectorstore=store, checker=checker, bound_subject=USER, **settings
    )


NORTH = document(1, project_id="north")
SOUTH = document(2, project_id="south")
UNNAMED = document(3)
EMPTY = document(4, project_id="")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_names_another_project_is_not_returned_and_not_asked_about(strategy: Strategy) -> None:
    service = of_north("ticket:1", "ticket:2")
    other = document(5, "ticket:2", project_id="south")
    found, report = retriever(
        [NORTH, SOUTH, other],
        AccessChecker(service, list_limit=None),
        strategy=strategy,
    ).retrieve_with_report("q")

    assert [one.id for one in found] == ["c1"]
    assert service.checked == ["ticket:1"]
    assert report.foreign == 2
    assert report.complete
    assert not report.filter_ignored
    assert (report.unidentified, report.withheld) == (0, 0)


def test_what_names_no_project_is_returned_unless_the_checker_was_given_one() -> None:
    documents = [NORTH, SOUTH, UNNAMED, EMPTY]
    by_client = retriever(documents, AccessChecker(of_north()))
    by_argument = retriever(documents, AccessChecker(everything_listed(), project_id="north"))

    assert {one.id for one in by_client.invoke("q")} == {"c1", "c3", "c4"}
    assert {one.id for one in by_argument.invoke("q")} == {"c1"}


def test_several_projects_and_a_checker_that_knows_none_is_an_error() -> None:
    checker = AccessChecker(everything_listed())

    with pytest.raises(ConfigurationError, match="project_id="):
        retriever([NORTH, SOUTH], checker).invoke("q")
    with pytest.raises(ConfigurationError, match="project_id="):
        PermissionFilter(checker=checker, bound_subject=USER).compress_documents([NORTH, SOUTH], "")
    nodes = [
        NodeWithScore(node=TextNode(text=one.page_content, metadata=one.metadata), score=1.0)
        for one in (NORTH, SOUTH)
    ]
    with pytest.raises(ConfigurationError, match="project_id="):
        PermissionPostprocessor(checker=checker, bound_subject=USER).postprocess_nodes(nodes)
    assert len(retriever([NORTH, UNNAMED], checker).invoke("q")) == 2


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_best_are_found_among_many_of_others(strategy: Strategy) -> None:
    others = [document(n, f"ticket:{n % 40}", project_id="south") for n in range(1_000)]
    own = [document(n, f"ticket:{n % 40}", project_id="north") for n in range(1_000, 1_012)]
    service = of_north(*(f"ticket:{n}" for n in range(40)))
    found, report = retriever(
        [*others, *own],
        AccessChecker(service, list_limit=None),
        strategy=strategy,
        k=8,
    ).retrieve_with_report("q")

    assert len(found) == 8
    assert {one.metadata["project_id"] for one in found} == {"north"}
    assert report.complete
    expected = retriever(own, AccessChecker(service), k=8).invoke("q")
    assert [one.id for one in found] == [one.id for one in expected]


@pytest.mark.parametrize("named", [["north"], 7, {"north": 1}])
def test_a_project_that_is_not_a_name_is_not_the_checkers(named: object) -> None:
    assert not ProjectBoundary("north", is_strict=False).is_inside(named)


def test_a_checker_of_two_projects_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'south', but the client .* 'north'"):
        AccessChecker(of_north(), project_id="south")
    for nothing in ("", "  ", 7):
        with pytest.raises(ConfigurationError, match="project_id must be"):
            AccessChecker(everything_listed(), project_id=nothing)  # type: ignore[arg-type]
    assert AccessChecker(of_north()).project_id == "north"
    assert AccessChecker(everything_listed(), project_id="north").project_id == "north"
    assert AccessChecker(everything_listed()).project_id is None
