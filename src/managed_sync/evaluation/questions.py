"""Questions with the passages that answer them, and the YAML file that holds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from managed_sync.errors import ConfigurationError, MissingExtraError

__all__ = ["Answer", "EvaluationQuestion", "load_questions"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A passage that answers a question.

    Attributes:
        object: The source of the passage: an object id such as ``file:3f2a``, an id in the source
            such as ``/Plan/a.pdf``, or a kind and an id in the source such as ``contact:c-001``.
        passage: A part of the stored text that answers the question, short enough to lie in one
            chunk. Differences in white space do not count.
    """

    object: str
    passage: str


@dataclass(frozen=True)
class EvaluationQuestion:
    """A question of a user, with the passages that answer it.

    Attributes:
        question: The question.
        answers: The passages that answer it; each of them is enough. Empty if nothing does.
        kind: A name for questions of one kind, such as ``table``.
        split: A name for the part of the questions that this one belongs to, such as ``report``.
        asked_by: The users who ask it.
        after: The question before it in the same conversation, without which it is not understood.
    """

    question: str
    answers: tuple[Answer, ...] = ()
    kind: str = ""
    split: str = ""
    asked_by: tuple[str, ...] = ()
    after: str = ""

    @property
    def answer_in(self) -> str:
        """The source of the first answer; empty if nothing answers the question."""
        return self.answers[0].object if self.answers else ""

    @property
    def query(self) -> str:
        """The text to search for: the question, after the one before it if there is one."""
        return f"{self.after}\n{self.question}" if self.after else self.question


def load_questions(file: Path | str) -> list[EvaluationQuestion]:
    """Reads questions from a YAML file.

    The file is a list. Each entry has a ``question``, and ``answer_in`` and ``passage`` unless
    nothing answers it. Optional are further answers under ``also``, ``kind``, ``split``,
    ``asked_by`` and ``after``.

    Raises:
        ConfigurationError: The file cannot be read, or an entry is malformed.
        MissingExtraError: PyYAML is not installed; the extra ``evaluation`` installs it.

    Examples:
        ```yaml
        - question: How much may a hotel in Hamburg cost per night?
          answer_in: /Handbook/Travel and expenses.pdf
          passage: "| Hamburg | EUR 155 |"
          asked_by: [sam@example.com]
        ```
    """
    path = Path(file)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"The questions in {path} cannot be read ({reason}). Name a YAML file in UTF-8."
        ) from None
    questions = [_question(path, line, entry) for line, entry in _entries(path, text)]
    if not questions:
        raise ConfigurationError(f"{path} has no questions. {_FORM}")
    return questions


_FORM = "The file must be a list of entries with question, answer_in and passage."


class _AnswerEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    answer_in: str = Field(min_length=1)
    passage: str = Field(min_length=1)


class _QuestionEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    question: str = Field(min_length=1)
    answer_in: str = ""
    passage: str = ""
    also: list[_AnswerEntry] = []
    kind: str = ""
    split: str = ""
    asked_by: list[str] = []
    after: str = ""

    @model_validator(mode="after")
    def _has_whole_answers(self) -> _QuestionEntry:
        if bool(self.answer_in) != bool(self.passage):
            raise ValueError("answer_in and passage must both be there, or neither")
        if self.also and not self.answer_in:
            raise ValueError("also needs a first answer in answer_in and passage")
        return self


def _entries(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    """Yields the entries of the file, each with its line."""
    try:
        import yaml  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise MissingExtraError("Reading questions", "evaluation") from error
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is not None and not isinstance(root, yaml.SequenceNode):
            raise ConfigurationError(f"{path}, line {root.start_mark.line + 1}: {_FORM}")
        for node in root.value if root else ():
            yield node.start_mark.line + 1, loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or error
        raise ConfigurationError(
            f"{path}{line}: not valid YAML ({problem}). Put texts with ':' or '#' in quotes."
        ) from None
    finally:
        loader.dispose()


def _question(path: Path, line: int, value: Any) -> EvaluationQuestion:
    try:
        entry = _QuestionEntry.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "the entry"
        if first["type"] == "extra_forbidden":
            form = _AnswerEntry if "also" in first["loc"] else _QuestionEntry
            fields = ", ".join(form.model_fields)
            problem = f"{name} is not one of the fields, which are {fields}."
        else:
            problem = f"{name}: {first['msg']}. {_FORM}"
        raise ConfigurationError(f"{path}, line {line}: {problem}") from None
    answers = [Answer(entry.answer_in, entry.passage)] if entry.answer_in else []
    answers += [Answer(other.answer_in, other.passage) for other in entry.also]
    return EvaluationQuestion(
        entry.question,
        tuple(answers),
        kind=entry.kind,
        split=entry.split,
        asked_by=tuple(entry.asked_by),
        after=entry.after,
    )
