"""The adapter of LangChain's ``ElasticsearchStore``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.langchain.stores.services.search_engine import SearchEngineAdapter
from managed_sync.stores.search_engine import whole_query

__all__ = ["ElasticsearchAdapter"]

_EXACT = "DenseVectorScriptScoreStrategy"
_APPROXIMATE = "DenseVectorStrategy"


class ElasticsearchAdapter(SearchEngineAdapter):
    """An index, which the integration creates with the first write.

    Its exact strategy scores every chunk that a filter leaves, and the others are approximate.
    """

    classes = frozenset({("langchain_elasticsearch", "ElasticsearchStore")})
    harmless = frozenset({"filter", "fetch_k"})
    vector_search = "similarity_search_by_vector_with_relevance_scores"

    @property
    def is_dense(self) -> bool:
        """Returns whether the store ranks by vectors alone, which are those of its own model."""
        is_vector = self._strategy in {_EXACT, _APPROXIMATE}
        is_hybrid = getattr(self._engine.retrieval_strategy, "hybrid", False)
        return is_vector and not is_hybrid and self._store.embeddings is not None

    @property
    def exact(self) -> bool:
        """Returns whether the store has the exact strategy."""
        return self.is_dense and self._strategy == _EXACT

    def ready(self, arguments: Mapping[str, Any], limit: int) -> dict[str, Any]:
        """Returns the arguments of a search that looks at enough candidates, in all shards."""
        changed = dict(arguments)
        # Only the store's search without scores takes it.
        candidates = changed.pop("fetch_k", 0)
        changed["custom_query"] = whole_query(arguments.get("custom_query"), candidates)
        return changed

    @property
    def _engine(self) -> Any:
        return self._store._store  # noqa: SLF001 - private in langchain-elasticsearch 1.0

    @property
    def _strategy(self) -> str:
        return type(self._engine.retrieval_strategy).__name__

    @property
    def _index_name(self) -> str:
        return str(self._engine.index)

    @property
    def _text_key(self) -> str:
        return str(self._store.query_field)

    @property
    def _vector_key(self) -> str:
        return str(self._store.vector_query_field)

    def _answer(self, method: str, path: str, body: Any) -> dict[str, Any]:
        kind = "x-ndjson" if isinstance(body, list) else "json"
        headers = {"accept": "application/json", "content-type": f"application/{kind}"}
        answer: dict[str, Any] = self._store.client.perform_request(
            method, path, headers=headers, body=body
        ).body
        return answer

    def _equal_to(self, condition: MetadataCondition) -> list[dict[str, Any]]:
        return self._equal(condition)

    def _both(self, name: str, own: Any, further: Any) -> Any:
        return [*_as_list(own), *_as_list(further)] if name == "filter" else None

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        return {"filter": [self._of_objects(object_ids)]}


def _as_list(clauses: Any) -> list[Any]:
    return [clauses] if isinstance(clauses, Mapping) else list(clauses)
