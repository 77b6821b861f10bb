"""A keyword index that ``IndexSync`` keeps in step with a vector store.

Its names are loaded when they are first used, since they load SQLAlchemy. See
``docs/decisions/0002-light-import.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from managed_sync.lazy_names import load_name

if TYPE_CHECKING:
    from managed_sync.keywords.index import KeywordHit, KeywordIndex

__all__ = ["KeywordHit", "KeywordIndex"]


def __getattr__(name: str) -> Any:
    return load_name(__name__, {"KeywordHit": "index", "KeywordIndex": "index"}, name)
