"""A change of what an index is built with is noticed and leads to a choice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_classic.embeddings import CacheBackedEmbeddings
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.stores import InMemoryByteStore
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from pydantic import PrivateAttr

from managed_sync.documents import Chunker, DocumentLoader, UnstructuredParser, record_text
from managed_sync.documents.chunking import chunk_metadata
from managed_sync.errors import SettingsChangedError
from managed_sync.indexing import fingerprint as fingerprint_module
from managed_sync.indexing import index_settings
from managed_sync.indexing.fingerprint import differences, fingerprint, model_settings, with_vector
from managed_sync.indexing.ledger.ledger import Ledger
from managed_sync.indexing.ledger.model import Pipeline
from managed_sync.langchain import LangChainTarget
from managed_sync.llama_index import LlamaIndexTarget
from tests.support.index_target import AbleTarget, Target
from tests.support.indexing import from_scratch, run, syncing
from tests.support.record_source import ChangingSource


def other_parser(data: bytes, *, content_type: str, filename: str = "") -> str:
    return data.decode().upper()


class OtherModel(Target):
    fingerprint = "another model"


def test_another_chunk_size_is_refused_with_both_ways_out(ledger: Path) -> None:
    source, target = ChangingSource(a="word " * 60), Target()
    run(source, target, ledger)
    sync = syncing(source, target, ledger, chunker=Chunker(40, 0))

    with pytest.raises(SettingsChangedError, match=r"20 tokens.*40 tokens.*--rebuild"):
        sync.run(integration="box", sync_type="files")
    with pytest.raises(SettingsChangedError):
        sync.run(integration="box", sync_type="files", dry_run=True)
    with pytest.raises(SettingsChangedError):
        sync.apply(["a"], integration="box", sync_type="files")
    assert run(source, target, ledger).unchanged == 1, "the old settings are still good"


def test_a_rebuild_makes_what_an_index_from_scratch_would_hold(
    ledger: Path, tmp_path: Path
) -> None:
    source, target = ChangingSource(a="word " * 60, b="One."), Target()
    syncing(source, target, ledger, chunker=Chunker(40, 0)).run(
        integration="box", sync_type="files"
    )

    report = run(source, target, ledger, rebuild=True)

    assert (report.updated, report.chunks_reused) == (2, 0), "every vector is made anew"
    assert target.contents() == from_scratch(source, tmp_path)
    assert run(source, target, ledger).unchanged == 2


def test_a_rebuild_that_stops_anywhere_is_finished_by_an_ordinary_run(
    ledger: Path, tmp_path: Path
) -> None:
    source = ChangingSource(**{f"r{number:03}": f"Text {number}. " * 5 for number in range(250)})
    target = Target()
    syncing(source, target, ledger, chunker=Chunker(30, 0)).run(
        integration="box", sync_type="files"
    )
    target.calls, target.dies_at = 0, 4
    with pytest.raises(Exception, match="disk full"):
        run(source, target, ledger, rebuild=True)
    target.dies_at = None
    target.embedded.clear()

    run(source, target, ledger, full=True)

    assert target.contents() == from_scratch(source, tmp_path)


@pytest.mark.parametrize(
    "other",
    [
        {"loader": DocumentLoader(ChangingSource(), parser=other_parser)},
        {"loader": DocumentLoader(ChangingSource(), parser="kreuzberg")},
        {"loader": DocumentLoader(ChangingSource(), parser="unstructured")},
        {"loader": DocumentLoader(ChangingSource(), templates={"deals": record_text})},
        {"chunker": Chunker(20, 5)},
        {"chunker": Chunker(20, 0, "o200k_base")},
    ],
)
def test_parser_overlap_and_encoding_count(ledger: Path, other: dict[str, Any]) -> None:
    source, target = ChangingSource(a="One."), Target()
    run(source, target, ledger)

    with pytest.raises(SettingsChangedError, match=next(iter(other)).replace("loader", "parser")):
        syncing(source, target, ledger, **other).run(integration="box", sync_type="files")


def test_the_embedding_model_counts(ledger: Path) -> None:
    source = ChangingSource(a="One.")
    run(source, Target(), ledger)

    with pytest.raises(SettingsChangedError, match=r"the embedding was .* and is another model"):
        run(source, OtherModel(), ledger)


def test_what_does_not_change_the_index_does_not_count(ledger: Path) -> None:
    source, target = ChangingSource(a="One."), Target()
    run(source, target, ledger)
    loader = DocumentLoader(source, max_bytes=7_000_000, downloads=9, keep_order=False)

    report = syncing(source, target, ledger, loader=loader, batch_size=3).run(
        integration="box", sync_type="files"
    )

    assert report.unchanged == 1


def test_the_way_to_read_pdf_counts() -> None:
    said = {
        fingerprint(
            loader=DocumentLoader(ChangingSource(), parser=parser),
            chunker=Chunker(),
            target=Target(),
        )
        for parser in (
            UnstructuredParser(),
            UnstructuredParser(pdf_strategy="fast"),
            UnstructuredParser(pdf_strategy="ocr_only"),
            UnstructuredParser(pdf_strategy="ocr_only", languages=("deu",)),
        )
    }
    assert len(said) == 4


def test_what_changed_is_said_in_words_and_without_internals(ledger: Path) -> None:
    source, target = ChangingSource(a="One."), Target()
    run(source, target, ledger)
    with pytest.raises(SettingsChangedError) as refused:
        syncing(source, target, ledger, chunker=Chunker(512, 64)).run(
            integration="box", sync_type="files"
        )
    assert (
        "the chunker was Chunker(20 tokens of cl100k_base, overlap 0, all headings) "
        "and is Chunker(512 tokens of cl100k_base, overlap 64, all headings). Go back"
    ) in str(refused.value)


def test_a_model_behind_a_cache_or_a_path_counts(ledger: Path) -> None:
    class Model(DeterministicFakeEmbedding):
        model_path: str

    def cached(path: str) -> CacheBackedEmbeddings:
        model = Model(size=8, model_path=path)
        return CacheBackedEmbeddings.from_bytes_store(
            model, InMemoryByteStore(), namespace="same", key_encoder="sha256"
        )

    source, store = ChangingSource(a="One."), InMemoryVectorStore(cached("/models/1"))
    syncing(source, LangChainTarget(store), ledger).run(integration="box", sync_type="files")
    store.embedding = cached("/models/2")

    with pytest.raises(SettingsChangedError, match="model_path=/models/2"):
        syncing(source, LangChainTarget(store), ledger).run(integration="box", sync_type="files")


def test_another_model_behind_a_cache_that_answers_for_it_is_noticed(ledger: Path) -> None:
    class Model(Embeddings):
        def __init__(self, shift: float) -> None:
            self.shift = shift

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[self.shift, len(text), 1.0] for text in texts]

        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

    kept = InMemoryByteStore()

    def cached(shift: float) -> CacheBackedEmbeddings:
        return CacheBackedEmbeddings.from_bytes_store(
            Model(shift), kept, namespace="same", key_encoder="sha256"
        )

    source, store = ChangingSource(a="One."), InMemoryVectorStore(cached(1.0))
    syncing(source, LangChainTarget(store), ledger).run(integration="box", sync_type="files")
    store.embedding = cached(-90.0)

    with pytest.raises(SettingsChangedError, match="another vector for the same text"):
        syncing(source, LangChainTarget(store), ledger).run(integration="box", sync_type="files")


def test_a_model_of_llama_index_that_wraps_one_of_langchain_is_described_with_it() -> None:
    class Model(DeterministicFakeEmbedding):
        model: str

    class Wrapping(MockEmbedding):
        _inner: Any = PrivateAttr()

        def __init__(self, model: str) -> None:
            super().__init__(embed_dim=8)
            self._inner = Model(size=8, model=model)

    assert "Model(model=large, size=8)" in model_settings(Wrapping("large"))


def test_what_an_older_version_said_less_of_is_no_other_model() -> None:
    before = json.dumps({"parser": "p", "chunker": "c", "embedding": "Model(size=8)"})
    now = json.dumps({"parser": "p", "chunker": "c", "embedding": "Model(model_path=x, size=8)"})
    other = json.dumps({"parser": "p", "chunker": "c", "embedding": "Model(size=9)"})

    assert differences(before, now) == []
    assert len(differences(before, other)) == 1
    assert len(differences(with_vector(before, [1.0, 2.0]), now)) == 1, "it has said all it can"


def test_texts_of_older_parsers_stop_no_run_and_are_named_until_a_rebuild(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source, target = ChangingSource(a="One."), Target()
    run(source, target, ledger)
    assert not caplog.records, "a new index has no older texts"
    monkeypatch.setattr(fingerprint_module, "PARSERS_VERSION", 99)
    source.write("b", "Two.")

    assert run(source, target, ledger).added == 1
    assert run(source, target, ledger).unchanged == 2
    [warning] = caplog.records
    assert "Records of box files that have not changed since keep the text" in warning.message
    assert "--rebuild" in warning.message

    run(source, target, ledger, rebuild=True)
    index_settings._warn_of_older_texts.cache_clear()
    run(source, target, ledger)
    assert len(caplog.records) == 1


def test_the_version_of_our_parsers_says_nothing_of_a_parser_of_your_own() -> None:
    ours = fingerprint(loader=DocumentLoader(ChangingSource()), chunker="c", target="t")
    loader = DocumentLoader(ChangingSource(), parser=other_parser)

    assert "version of the parsers" in ours
    assert "version of the parsers" not in fingerprint(loader=loader, chunker="c", target="t")


def test_a_model_is_described_without_its_secrets() -> None:
    class Embeddings(DeterministicFakeEmbedding):
        model: str = "large"
        api_key: str = "s3cret"

    target = LangChainTarget(InMemoryVectorStore(Embeddings(size=8)))
    said = fingerprint(loader=DocumentLoader(ChangingSource()), chunker=Chunker(), target=target)

    assert "Embeddings(model=large, size=8)" in said
    assert "s3cret" not in said
    assert model_settings(None) == "NoneType()"


def indexed_by_record_alone(
    source: ChangingSource, target: Target, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Indexes with chunk ids that do not name the project and the pipeline."""
    with monkeypatch.context() as before:
        before.setattr(chunk_metadata, "_PIPELINE", ())
        run(source, target, ledger)
    with Ledger(ledger) as place:
        noted = place.of(Pipeline("p1", "box", "files"))
        settings = json.loads(noted.note("settings"))
        del settings["scheme of chunk ids"]
        noted.set_notes(settings=json.dumps(settings))


def test_an_index_whose_chunk_ids_name_no_pipeline_is_refused_and_replaced_by_a_rebuild(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = ChangingSource(a="One. " * 30, b="Two."), AbleTarget()
    indexed_by_record_alone(source, target, ledger, monkeypatch)
    before = target.contents()

    with pytest.raises(
        SettingsChangedError, match=r"ids was by record alone and is by project.*--rebuild"
    ):
        run(source, target, ledger)
    with pytest.raises(SettingsChangedError):
        syncing(source, target, ledger).verify(integration="box", sync_type="files", repair=True)
    assert target.contents() == before, "nothing was touched"
    report = run(source, target, ledger, rebuild=True)

    assert report.updated == 2
    assert target.contents() == from_scratch(source, tmp_path)
    assert not target.chunks.keys() & before.keys()
    assert syncing(source, target, ledger).verify(integration="box", sync_type="files").agrees


def test_a_rebuild_writes_all_new_chunks_of_a_record_before_it_removes_an_old_one(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = ChangingSource(a="One. " * 30), Target()
    indexed_by_record_alone(source, target, ledger, monkeypatch)
    before = target.texts()
    target.refuses = lambda text: "One." in text

    report = run(source, target, ledger, rebuild=True)

    assert [failure.record_id for failure in report.failed] == ["a"]
    assert target.texts() == before, "what could not be written anew is still there"


def test_a_ledger_that_never_noted_its_settings_is_refused_too(ledger: Path) -> None:
    source, target = ChangingSource(a="One."), Target()
    run(source, target, ledger)
    with Ledger(ledger) as place:
        place.of(Pipeline("p1", "box", "files")).set_notes(settings=None)

    with pytest.raises(SettingsChangedError, match="--rebuild"):
        run(source, target, ledger)
    assert run(source, target, ledger, rebuild=True).updated == 1


def without_embedded_text(settings: str) -> str:
    """Returns the settings of an index from before there was a choice."""
    parts = json.loads(settings)
    del parts["embedded text"]
    return json.dumps(parts)


def test_another_choice_of_what_is_embedded_is_refused_until_a_rebuild(ledger: Path) -> None:
    source, store = (
        ChangingSource(a="One."),
        InMemoryVectorStore(DeterministicFakeEmbedding(size=8)),
    )
    syncing(source, LangChainTarget(store), ledger).run(integration="box", sync_type="files")
    sync = syncing(source, LangChainTarget(store, embeds=["title"]), ledger)

    with pytest.raises(
        SettingsChangedError,
        match=r"the embedded text was title, headings, text and is title, text\..*--rebuild",
    ):
        sync.run(integration="box", sync_type="files")
    report = sync.run(integration="box", sync_type="files", rebuild=True)

    assert report.chunks_embedded == 1
    assert sync.verify(integration="box", sync_type="files").agrees


def test_an_index_from_before_titles_were_embedded_is_refused_unless_they_are_left_out(
    ledger: Path,
) -> None:
    source, store = (
        ChangingSource(a="One."),
        InMemoryVectorStore(DeterministicFakeEmbedding(size=8)),
    )
    alone = syncing(source, LangChainTarget(store, embeds=()), ledger)
    alone.run(integration="box", sync_type="files")
    with Ledger(ledger) as place:
        noted = place.of(Pipeline("p1", "box", "files"))
        noted.set_notes(settings=without_embedded_text(noted.note("settings") or ""))

    with pytest.raises(SettingsChangedError, match="embedded text was text and is title, headings"):
        syncing(source, LangChainTarget(store), ledger).run(integration="box", sync_type="files")
    assert alone.run(integration="box", sync_type="files").unchanged == 1


def test_an_index_of_llama_index_from_before_there_was_a_choice_is_always_refused() -> None:
    index = VectorStoreIndex([], embed_model=MockEmbedding(embed_dim=8))
    target = LlamaIndexTarget(index, embeds=())
    now = fingerprint(loader=record_text, chunker=Chunker(), target=target)

    (difference,) = differences(
        without_embedded_text(now), now, first_embedded=target.first_embedded_parts
    )

    assert "as LlamaIndex joins them and is text" in difference
