"""A copy of what is bound to one user is bound to that user, whichever way it was made."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.runnables import ConfigurableField
from pydantic import ValidationError

from managed_sync import AccessChecker, ManagedSyncClient, acting_as
from managed_sync.errors import ConfigurationError, MissingSubjectError
from managed_sync.langchain import PermissionFilter
from managed_sync.llama_index import PermissionPostprocessor
from tests.support.frameworks import ALICE, BOB, QUESTION, LangChain, LlamaIndex
from tests.support.passages import files, passages_of
from tests.support.permission_service import TOKEN, FakePermissionService, http_client

PASSAGES = passages_of(*files(*range(6)))


def langchain_retriever(checker: AccessChecker) -> Any:
    way = LangChain(asynchronous=False)
    return way.retriever(way.shared_store(PASSAGES), checker, k=2)


def llama_index_retriever(checker: AccessChecker) -> Any:
    way = LlamaIndex(asynchronous=False)
    return way.retriever(way.shared_store(PASSAGES), checker, k=2)


def langchain_filter(checker: AccessChecker) -> Any:
    return PermissionFilter(checker=checker)


def llama_index_postprocessor(checker: AccessChecker) -> Any:
    return PermissionPostprocessor(checker=checker)


RETRIEVERS = [langchain_retriever, llama_index_retriever]
MODELS = [langchain_retriever, langchain_filter, llama_index_postprocessor]
ALL = [*RETRIEVERS, langchain_filter, llama_index_postprocessor]
of_each = pytest.mark.parametrize("make", ALL)
of_each_model = pytest.mark.parametrize("make", MODELS)


@pytest.fixture
def checker() -> AccessChecker:
    return AccessChecker(FakePermissionService(alice=files(1, 2), bob=files(3)))


def found(made: Any) -> list[Any]:
    """The objects that it finds, or lets through."""
    if isinstance(made, PermissionFilter):
        kept = made.compress_documents([each.document for each in PASSAGES], QUESTION)
        return [document.metadata["object_id"] for document in kept]
    if isinstance(made, PermissionPostprocessor):
        scored = (
            LlamaIndex(asynchronous=False).shared_store(PASSAGES).as_retriever(similarity_top_k=9)
        )
        kept_nodes = made.postprocess_nodes(scored.retrieve(QUESTION))
        return [each.node.metadata["object_id"] for each in kept_nodes]
    if hasattr(made, "invoke"):
        return [document.metadata["object_id"] for document in made.invoke(QUESTION)]
    return [each.node.metadata["object_id"] for each in made.retrieve(QUESTION)]


COPIES: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    lambda bound: copy.deepcopy({"in": [bound]})["in"][0],
    lambda bound: bound.for_subject(ALICE),
]
MODEL_COPIES: list[Callable[[Any], Any]] = [
    lambda bound: bound.model_copy(),
    lambda bound: bound.model_copy(deep=True),
    lambda bound: bound.model_copy(update={"bound_subject": ALICE}),
]


@of_each
@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_is_bound_to_the_same_user(
    make: Callable[[AccessChecker], Any], copied: Callable[[Any], Any], checker: AccessChecker
) -> None:
    with acting_as(BOB):
        assert found(copied(make(checker).for_subject(ALICE))) == files(1, 2)


@of_each_model
@pytest.mark.parametrize("copied", MODEL_COPIES)
def test_a_models_copy_too(
    make: Callable[[AccessChecker], Any], copied: Callable[[Any], Any], checker: AccessChecker
) -> None:
    with acting_as(BOB):
        assert found(copied(make(checker).for_subject(ALICE))) == files(1, 2)


@of_each
def test_a_copy_of_an_unbound_one_is_unbound(
    make: Callable[[AccessChecker], Any], checker: AccessChecker
) -> None:
    for copied in (copy.copy(make(checker)), copy.deepcopy(make(checker))):
        with pytest.raises(MissingSubjectError):
            found(copied)
        with acting_as(BOB):
            assert found(copied) == files(3)


@of_each
def test_binding_again_to_another_user_is_refused(
    make: Callable[[AccessChecker], Any], checker: AccessChecker
) -> None:
    with pytest.raises(ConfigurationError, match="bound"):
        make(checker).for_subject(ALICE).for_subject(BOB)


@of_each_model
def test_a_models_binding_cannot_be_changed_or_lost(
    make: Callable[[AccessChecker], Any], checker: AccessChecker
) -> None:
    bound = make(checker).for_subject(ALICE)

    with pytest.raises(ValidationError):
        bound.bound_subject = BOB
    with pytest.raises(ConfigurationError, match="bound"):
        bound.model_copy(update={"bound_subject": BOB})
    with pytest.raises(MissingSubjectError):
        bound.model_copy(update={"bound_subject": None})
    assert found(bound) == files(1, 2)


def test_a_changed_copy_uses_all_that_was_changed(checker: AccessChecker) -> None:
    bound = langchain_retriever(checker).for_subject(ALICE)
    others = LangChain(asynchronous=False).store(passages_of("file:2"))
    nobodys = AccessChecker(FakePermissionService())

    assert found(bound.model_copy(update={"k": 1})) == files(1)
    assert found(bound.model_copy(update={"vectorstore": others})) == files(2)
    assert found(bound.model_copy(update={"checker": nobodys})) == []
    with pytest.raises(ConfigurationError):
        bound.model_copy(update={"max_candidates": 1})
    with pytest.raises(ValidationError):
        bound.model_copy(update={"strategy": "prefilter"})
    with pytest.raises(ValidationError):
        bound.checker = nobodys


@pytest.mark.parametrize("make", [*RETRIEVERS, langchain_filter])
def test_pickling_is_refused_and_says_why(
    make: Callable[[AccessChecker], Any], checker: AccessChecker
) -> None:
    for made in (make(checker), make(checker).for_subject(ALICE)):
        with pytest.raises(TypeError, match="credentials"):
            pickle.dumps(made)


def test_no_copy_shares_more_than_the_checker_of_a_real_client() -> None:
    client: ManagedSyncClient
    with http_client(FakePermissionService(alice=files(1, 2), bob=files(3))) as client:
        for make in ALL:
            bound = make(AccessChecker(client)).for_subject(ALICE)
            assert found(copy.deepcopy(bound)) == files(1, 2)
            assert TOKEN not in repr(bound)


class TestOlderNames:
    """Ways to change a model that pydantic and LangChain keep beside their own."""

    def test_a_copy_by_pydantics_older_name_stays_bound(self, checker: AccessChecker) -> None:
        bound = langchain_retriever(checker).for_subject(ALICE)

        assert bound.copy().bound_subject == ALICE
        for other in (BOB, None):
            with pytest.raises((ConfigurationError, MissingSubjectError)):
                bound.copy(update={"bound_subject": other})

    def test_the_subject_cannot_be_made_configurable(self, checker: AccessChecker) -> None:
        bound = langchain_retriever(checker).for_subject(ALICE)

        with pytest.raises(ConfigurationError, match="cannot be made configurable"):
            bound.configurable_fields(bound_subject=ConfigurableField(id="who"))
