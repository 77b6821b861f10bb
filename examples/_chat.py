"""What a chat in a terminal needs beside its framework: login, the loop, citations."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from managed_sync import ManagedSyncError
from managed_sync.embedding import load_bundled_model

__all__ = ["ChatModelError", "arguments", "extractive_answer", "numbered", "run", "with_sources"]

# A passage as both frameworks have it: its text, and its metadata.
Passage: TypeAlias = tuple[str, Mapping[str, Any]]

# Below this similarity a sentence is about something else; found by trying the bundled embedding.
_LEAST_SIMILARITY = 0.35


class ChatModelError(Exception):
    """The chat model could not be made or did not answer.

    Providers' own messages may quote the key, so this one only says of which kind they were.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"The chat model failed ({type(error).__name__}); check its name, its key and quota."
        )


def arguments(description: str | None, model: str) -> argparse.Namespace:
    """The command line: ``user``, ``once`` and ``model``, each ``None`` if it is not given."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--user", help="log in as this user instead of choosing one")
    parser.add_argument("--once", metavar="QUESTION", help="answer one question, and end")
    parser.add_argument("--model", help=model)
    return parser.parse_args()


def run(
    begin: Callable[[str], Callable[[str], str]], users: Sequence[str], once: str | None
) -> None:
    """Lets users log in, one after another, and answers the questions of each.

    Args:
        begin: Begins the conversation of one login, which answers questions.
        users: Who may log in; if it is only one, there is nothing to choose.
        once: The only question, if there is to be only one.
    """
    while user := users[0] if len(users) == 1 else _log_in(users):
        ask = begin(user)
        if once is not None:
            print(ask(once))
            return
        print(f"Logged in as {user}. Ask away; 'logout' or 'exit' ends it.")
        if not _converse(ask) or len(users) == 1:
            return


def _converse(ask: Callable[[str], str]) -> bool:
    """Answers questions until the user leaves; whether somebody else may log in then."""
    while question := _read("\n> "):
        if question.lower() == "logout":
            return True
        try:
            print(ask(question))
        except (ManagedSyncError, ChatModelError) as error:
            print(f"No answer: {error}")
    return False


def _log_in(users: Sequence[str]) -> str | None:
    """Stands for the login of a real application, which would ask for a password."""
    for number, user in enumerate(users, start=1):
        print(f"  {number}  {user}")
    while entry := _read("Who are you? "):
        if entry in users:
            return entry
        if entry.isdecimal() and 1 <= int(entry) <= len(users):
            return users[int(entry) - 1]
        print(f"There is no user {entry!r}; enter one of the numbers or addresses above.")
    return None


def _read(prompt: str) -> str:
    """A line; nothing if the user wants to leave."""
    try:
        line = input(prompt).strip()
    except (EOFError, KeyboardInterrupt):
        print()
        return ""
    return "" if line.lower() == "exit" else line


def extractive_answer(question: str, passages: Sequence[Passage]) -> str:
    """The sentences that are nearest to the question, each with the number of its passage."""
    number_of: dict[str, int] = {}
    for number, (text, _) in enumerate(passages, start=1):
        for sentence in _sentences(text):
            number_of.setdefault(sentence, number)
    wanted, *vectors = load_bundled_model().embed([question, *number_of])
    similarity = {
        sentence: sum(a * b for a, b in zip(vector, wanted, strict=True))
        for sentence, vector in zip(number_of, vectors, strict=True)
    }
    best = sorted(number_of, key=lambda sentence: -similarity[sentence])[:3]
    lines = [f"{s} [{number_of[s]}]" for s in best if similarity[s] >= _LEAST_SIMILARITY]
    answer = "\n".join(lines) or "I find nothing about this in what you may read."
    return f"(extractive answer, no chat model)\n{answer}"


def numbered(passages: Sequence[Passage]) -> str:
    """The passages for a model's prompt, each with its number and its place."""
    return "\n\n".join(
        f"[{number}] {_place(metadata)}\n{text}"
        for number, (text, metadata) in enumerate(passages, start=1)
    )


def with_sources(answer: str, passages: Sequence[Passage]) -> str:
    """An answer followed by the passages that it cites: title, page, heading and address."""
    cited = {int(number) for number in re.findall(r"\[(\d+)\]", answer)}
    sources = [
        f"  [{number}] {_place(metadata)}  {metadata.get('url', '')}".rstrip()
        for number, (_, metadata) in enumerate(passages, start=1)
        if number in cited
    ]
    return "\n".join([answer, *sources])


def _place(metadata: Mapping[str, Any]) -> str:
    title = metadata["title"]
    page = f"page {metadata['page']}" if "page" in metadata else ""
    heading = metadata.get("heading", "").removeprefix(title).removeprefix(" > ")
    return ", ".join(filter(None, [title, page, heading]))


def _sentences(text: str) -> Iterator[str]:
    """Statements and table rows; headings, e-mail headers and questions look like any question."""
    for line in text.splitlines():
        for sentence in re.split(r"(?<=[.!?])\s+|(?<=。)", line.strip("|-* ")):
            if sentence.endswith((".", "!", "。")) or " | " in sentence:
                yield sentence
