"""An embedding model that fails is named, and its keys are not."""

from __future__ import annotations

import pytest
from langchain_core.embeddings import Embeddings

from managed_sync.cli.named_embeddings import NamedEmbeddings
from managed_sync.errors import EmbeddingError


class RefusedError(Exception):
    """An error in the form of OpenAI's package."""

    def __init__(self, message: str) -> None:
        super().__init__(f"Error code: 401 - {message}")
        self.body = {"message": message}


class Refusing(Embeddings):
    def __init__(self, message: str) -> None:
        self.message = message

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[0.0, 1.0] for _ in texts]

    def embed_query(self, text: str) -> list[float]:
        if self.message:
            raise RefusedError(self.message)
        return self.embed_documents([text])[0]


def test_a_refusal_is_one_line_without_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-key")
    message = "Incorrect key sk-secret-key (sk-se***key)\nat https://me:pass@api.example/v1."
    model = NamedEmbeddings("openai:small", Refusing(message), None)

    with pytest.raises(EmbeddingError) as caught:
        model.embed_query("What is for lunch?")

    assert str(caught.value) == (
        "openai:small could not embed: Incorrect key … … at https://api.example/v1. "
        "Correct --embedding, or see that the service runs."
    )


def test_another_model_behind_the_same_name_is_noticed() -> None:
    assert NamedEmbeddings("ollama:x", Refusing(""), 2).embed_query("Lunch?") == [0.0, 1.0]
    with pytest.raises(EmbeddingError, match=r"vector of 2 dimensions.* have 3\..*--workspace"):
        NamedEmbeddings("ollama:x", Refusing(""), 3).embed_query("Lunch?")
