"""A file of questions, and the errors for a bad one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from managed_sync.errors import ConfigurationError, MissingExtraError
from managed_sync.evaluation import Answer, EvaluationQuestion, load_questions

WHOLE = """\
- question: How much is a hotel?
  answer_in: /Travel.pdf
  passage: "| Hamburg | EUR 155 |"
  also:
    - answer_in: /Reise.docx
      passage: 155 Euro
  kind: table
  split: tune
  asked_by: [ann@x.example]
- question: And in Rotterdam?
  after: How much is a hotel?
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "questions.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_questions_are_read_with_all_they_have(tmp_path: Path) -> None:
    first, second = load_questions(written(tmp_path, WHOLE))
    assert first == EvaluationQuestion(
        "How much is a hotel?",
        (Answer("/Travel.pdf", "| Hamburg | EUR 155 |"), Answer("/Reise.docx", "155 Euro")),
        kind="table",
        split="tune",
        asked_by=("ann@x.example",),
    )
    assert (first.answer_in, second.answer_in) == ("/Travel.pdf", "")
    assert second.query == "How much is a hotel?\nAnd in Rotterdam?"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has no questions"),
        ("question: One", "line 1: The file must be a list"),
        ("- question: One\n- What: is this?: no", "line 2: not valid YAML"),
        ("- question: One\n\n- text: Two", "line 3: question: Field required"),
        ("- question: One\n- Two", "line 2: the entry"),
        ("- question: One\n- question: Two\n  answer_in: /a.md", "line 2: .* passage must both"),
        ("- question: One\n  color: red", "line 1: color is not one .*, asked_by,"),
        ("- question: One\n  asked_by: ann@x.example", "line 1: asked_by: .* list"),
    ],
)
def test_an_error_names_the_file_the_line_and_the_remedy(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"questions\.yaml.*{problem}") as caught:
        load_questions(written(tmp_path, text))
    remedies = ("must be a list of entries", "the fields, which are question, answer_in", "quotes")
    assert any(remedy in str(caught.value) for remedy in remedies)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml cannot be read \(No such file"):
        load_questions(tmp_path / "none.yaml")


def test_without_yaml_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtraError, match=r"managed-sync\[evaluation\]"):
        load_questions(written(tmp_path, WHOLE))
