"""The embedding model of a workspace, whose errors are one line that names it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from langchain_core.embeddings import Embeddings

from managed_sync.cli.index_report import described
from managed_sync.errors import EmbeddingError, ManagedSyncError

__all__ = ["NamedEmbeddings"]

_LONGEST_REASON = 300
_SECRETS = re.compile(r"key|token|secret|password|credential", re.IGNORECASE)
# Shorter values are parts of other words.
_SHORTEST_SECRET = 6
# As services quote keys, and as addresses contain them.
_SHORTENED_KEY = re.compile(r"\S*\*{3,}\S*")
_IN_ADDRESS = re.compile(r"(?<=//)[^/@\s]+@")


class NamedEmbeddings(Embeddings):
    """A model that says who failed if a question cannot be embedded.

    Texts of documents are embedded as they are: an index run has its own handling of errors.

    Args:
        name: The name of the model, as ``load_embeddings`` takes it.
        model: The model.
        dimensions: The dimensions of the vectors to compare with; ``None`` if there are none yet.
    """

    def __init__(self, name: str, model: Embeddings, dimensions: int | None) -> None:
        self.name = name
        self.model = model
        self.dimensions = dimensions

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Returns one vector per text."""
        return self.model.embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        """Returns the vector of a question.

        Raises:
            EmbeddingError: The model or its service failed, or is another one than it was.
        """
        try:
            vector = self.model.embed_query(text)
        except ManagedSyncError:
            raise
        except Exception as error:  # noqa: BLE001 - those of clients, of models, of the system
            raise EmbeddingError(
                f"{self.name} could not embed: {_reason(error)}. Correct --embedding, or see that "
                f"the service runs."
            ) from None
        if self.dimensions not in {None, len(vector)}:
            raise EmbeddingError(
                f"{self.name} returned a vector of {len(vector)} dimensions, but those of the "
                f"index have {self.dimensions}. It is another model behind the same name: use "
                f"another --workspace."
            )
        return vector


def _reason(error: Exception) -> str:
    """Returns the service's own message if there is one, in a line and without keys."""
    body: Any = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, Mapping) else None
    reason = " ".join(message.split()) if isinstance(message, str) else described(error)
    for name, value in os.environ.items():
        if _SECRETS.search(name) and len(value) >= _SHORTEST_SECRET:
            reason = reason.replace(value, "…")
    reason = _IN_ADDRESS.sub("", _SHORTENED_KEY.sub("…", reason))
    return reason[:_LONGEST_REASON].rstrip(". ")
