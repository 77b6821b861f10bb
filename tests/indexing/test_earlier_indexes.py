"""An index of an earlier version of this package is accepted as it is: nothing is built again.

``data/ledger_schema_3.sql`` was written by the version before the package's modules were moved.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore

from managed_sync.documents import Chunker, DocumentLoader, RecordTemplate, parse, record_text
from managed_sync.documents import UnstructuredParser as Unstructured
from managed_sync.errors import SettingsChangedError
from managed_sync.indexing import IndexSync, Ledger, Pipeline
from managed_sync.indexing.fingerprint import differences, fingerprint
from managed_sync.langchain import LangChainTarget, ManagedSyncLoader
from managed_sync.llama_index import ManagedSyncReader
from tests.support.index_target import AbleTarget
from tests.support.indexing import AT_ONCE
from tests.support.record_source import ChangingSource

BOX = Pipeline("p1", "box", "files")
OLD_LEDGER = Path(__file__).parent / "data" / "ledger_schema_3.sql"


class Model(AbleTarget):
    """The target that the old ledger was written with."""

    fingerprint = "a model"


class OldChunker(Chunker):
    """A chunker that promises what the one of that version did."""

    @property
    def fingerprint(self) -> str:
        return super().fingerprint.replace(", all headings", "")


def old_source() -> ChangingSource:
    return ChangingSource(
        plan="# Plan\n\nThe gripper ships in May. " + "Every arm is tested twice. " * 12,
        note="One line.",
        empty="   ",
        broken="%PDF-1.7 damaged",
        odd="Bad text.",
        long="word " * 120,
    )


def old_ledger(place: Path) -> Path:
    place.parent.mkdir(exist_ok=True)
    with sqlite3.connect(place) as database:
        database.executescript(OLD_LEDGER.read_text(encoding="utf-8"))
    database.close()
    return place


def sync(source: ChangingSource, target: Model, place: Path) -> IndexSync:
    return IndexSync(source, target, place, chunker=OldChunker(20, 0), retries=AT_ONCE)


@pytest.fixture
def indexed(tmp_path: Path) -> tuple[ChangingSource, Model, Path]:
    """The source and the index as the old version left them, and its ledger."""
    source, target = old_source(), Model()
    target.refuses = lambda text: "Bad" in text
    sync(source, target, tmp_path / "new.db").run(integration="box", sync_type="files")
    target.refuses, target.embedded = (lambda text: False), []
    source.write("note", "Another line.")
    return source, target, old_ledger(tmp_path / "old.db")


def test_only_records_that_the_old_version_left_unfinished_are_embedded(
    indexed: tuple[ChangingSource, Model, Path],
) -> None:
    source, target, place = indexed

    report = sync(source, target, place).run(integration="box", sync_type="files")

    assert sorted(target.embedded) == ["Another line.", "Bad text."]
    assert (report.unchanged, report.updated, report.deleted) == (2, 2, 0)
    assert [each.record_id for each in report.skipped] == ["empty"]
    assert sync(source, target, place).verify(integration="box", sync_type="files").agrees
    again = sync(source, target, place).run(integration="box", sync_type="files")
    assert (again.unchanged, again.chunks_embedded) == (4, 0)


def test_every_status_of_the_old_ledger_is_known(tmp_path: Path) -> None:
    with Ledger(old_ledger(tmp_path / "old.db")) as ledger:
        known = {record.record_id: record for page in ledger.of(BOX).pages() for record in page}

    assert {key: str(record.state) for key, record in known.items()} == {
        "plan": "indexed",
        "long": "indexed",
        "note": "pending",
        "odd": "pending",
        "broken": "dismissed",
        "empty": "skipped",
    }
    assert len(known["plan"].chunks) == 5
    assert set(known["note"].chunks.values()) == {
        None,
        "7651ef2a2c25d54bb424.c7b513529f20da4028ba",
    }


def test_other_settings_are_still_noticed(indexed: tuple[ChangingSource, Model, Path]) -> None:
    source, target, place = indexed
    other = IndexSync(source, target, place, chunker=Chunker(40, 0), retries=AT_ONCE)

    with pytest.raises(SettingsChangedError, match="40 tokens"):
        other.run(integration="box", sync_type="files")
    other = IndexSync(source, target, place, chunker=Chunker(20, 0), retries=AT_ONCE)
    with pytest.raises(SettingsChangedError, match=r"is Chunker.*all headings"):
        other.run(integration="box", sync_type="files")
    parser = DocumentLoader(source, parser="kreuzberg")
    other = IndexSync(source, target, place, loader=parser, chunker=OldChunker(20, 0))
    with pytest.raises(SettingsChangedError, match="KreuzbergParser"):
        other.run(integration="box", sync_type="files")


SOURCE = ChangingSource()
DEFAULT = "object_id=managed_sync.documents.record_metadata.object_id, "
# As the version before the move described them.
OLD_DESCRIPTIONS: dict[str, list[object]] = {
    DEFAULT + "parser=FileParser()": [
        DocumentLoader(SOURCE),
        ManagedSyncLoader(client=SOURCE, integration="a", sync_type="b"),
    ],
    DEFAULT + "parser=KreuzbergParser()": [DocumentLoader(SOURCE, parser="kreuzberg")],
    DEFAULT + "parser=UnstructuredParser()": [DocumentLoader(SOURCE, parser="unstructured")],
    DEFAULT + "parser=UnstructuredParser(pdf_strategy=ocr_only, languages=deu)": [
        DocumentLoader(SOURCE, parser=Unstructured(pdf_strategy="ocr_only", languages=("deu",)))
    ],
    DEFAULT + "parser=managed_sync.documents.parsing.parse": [DocumentLoader(SOURCE, parser=parse)],
    "deals=managed_sync.documents.records_as_text.record_text, "
    + DEFAULT
    + "parser=FileParser(), tickets=RecordTemplate()": [
        DocumentLoader(
            SOURCE,
            templates={"deals": record_text, "tickets": RecordTemplate(first=("a",))},
        )
    ],
    "managed_sync.llama_index.reader.ManagedSyncReader": [
        ManagedSyncReader(client=SOURCE, integration="a", sync_type="b")
    ],
}


@pytest.mark.parametrize("parser", OLD_DESCRIPTIONS)
def test_a_loader_of_this_package_is_the_same_one_wherever_its_functions_live(parser: str) -> None:
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
    chunker, target = Chunker(512), LangChainTarget(store, embeds=())
    old = {
        "parser": parser,
        "chunker": chunker.fingerprint,
        "embedding": "DeterministicFakeEmbedding(size=8)",
        "scheme of chunk ids": "by project, pipeline and record",
    }
    for loader in OLD_DESCRIPTIONS[parser]:
        now = fingerprint(loader=loader, chunker=chunker, target=target)

        assert differences(json.dumps(old), now, first_embedded="text") == []
    others = [loader for key, each in OLD_DESCRIPTIONS.items() if key != parser for loader in each]
    for loader in others:
        now = fingerprint(loader=loader, chunker=chunker, target=target)
        assert differences(json.dumps(old), now, first_embedded="text") != []


def test_a_function_of_another_package_is_another_one_in_another_module() -> None:
    def described(name: str) -> str:
        parts = {"parser": f"parser={name}", "chunker": "c", "embedding": "Model(size=8)"}
        return json.dumps({**parts, "scheme of chunk ids": "by project, pipeline and record"})

    assert differences(described("managed_sync.a.parse"), described("managed_sync.b.c.parse")) == []
    for mine, other in [
        ("managed_sync.a.parse", "managed_sync.a.read"),
        ("managed_sync.a.Parser.read", "managed_sync.a.Other.read"),
        ("company.a.parse", "company.b.parse"),
        ("my_managed_sync.a.parse", "my_managed_sync.b.parse"),
        ("company.managed_sync.a.parse", "company.managed_sync.b.parse"),
    ]:
        assert len(differences(described(mine), described(other))) == 1
