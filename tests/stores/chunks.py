"""The chunks that every store is filled with, and the exact answer to every question."""

from __future__ import annotations

import uuid

import numpy as np
from langchain_core.documents import Document

from tests.support.hash_embeddings import hash_vector

CHUNKS_PER_OBJECT = 10

# Ids as nobody would choose them: each of these breaks a filter that is put together carelessly.
ODD_OBJECTS = [
    "file:it's",
    'file:"quoted"',
    "file:a:b:c",
    "file:100%",
    "file:%s %(name)s :name $1 ?",
    "file:日本語",
    "file:😀",
    "file:café",
    "file:cafe\u0301",
    "file:Case",
    "file:case",
    "file:'); DROP TABLE chunks; --",
    "file:' OR '1'='1",
    "file:back\\slash\\'",
    "file:{braces} [brackets] (parentheses)",
    "file:a,b",
    "file: blank ",
    "file:line\nbreak",
    "file:$in",
    "file:null",
]
OBJECTS = ODD_OBJECTS + [f"file:{number}" for number in range(40 - len(ODD_OBJECTS))]


def _chunk(object_id: str, index: int) -> Document:
    text = f"Chunk {index} of {object_id}"
    chunk_id = str(uuid.uuid5(uuid.NAMESPACE_URL, text))
    metadata = {"object_id": object_id, "chunk_id": chunk_id, "chunk_index": index}
    return Document(id=chunk_id, page_content=text, metadata=metadata)


CHUNKS = [_chunk(object_id, index) for object_id in OBJECTS for index in range(CHUNKS_PER_OBJECT)]
IDS = [str(chunk.id) for chunk in CHUNKS]
TEXTS = [chunk.page_content for chunk in CHUNKS]
METADATA = [chunk.metadata for chunk in CHUNKS]
NUMBER_OF = {metadata["chunk_id"]: metadata["chunk_index"] for metadata in METADATA}
OBJECT_OF = {str(chunk.id): str(chunk.metadata["object_id"]) for chunk in CHUNKS}
_VECTORS = np.stack([hash_vector(text) for text in TEXTS])


def ranking(query: str) -> list[str]:
    """The ids of all chunks, the nearest first. On unit vectors all usual distances agree."""
    return [IDS[row] for row in np.argsort(-(_VECTORS @ hash_vector(query)))]


def ranking_within(query: str, object_ids: set[str]) -> list[str]:
    """The same, of these objects only."""
    return [chunk_id for chunk_id in ranking(query) if OBJECT_OF[chunk_id] in object_ids]
