"""A chat in a terminal: the command line, the login, the loop, and how a program ends."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from examples.shared.chat_model import ChatModelError
from examples.shared.memory import Turn
from managed_sync import ManagedSyncError

__all__ = ["Conversation", "argument_parser", "exit_status", "run"]


class Conversation(Protocol):
    """One conversation of the user who is logged in."""

    def ask(self, question: str) -> str:
        """The answer and its sources."""

    def history(self) -> list[Turn]:
        """Returns the remembered turns that the user may read now."""


def argument_parser(description: str | None, model: str | None = None) -> argparse.ArgumentParser:
    """The options that the examples share; ``model`` describes that option, if there is one."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--user", help="the only user who may log in")
    if model:
        parser.add_argument("--model", help=model)
    return parser


def exit_status(program: Callable[[], None]) -> int:
    """Runs a program; what cannot work is one line, and Ctrl-C no traceback."""
    try:
        with _terminated_like_ctrl_c():
            program()
    except (ManagedSyncError, ChatModelError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


@contextmanager
def _terminated_like_ctrl_c() -> Iterator[None]:
    """Without this, SIGTERM would leave the temporary folders behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run(
    begin: Callable[[str], Conversation], users: Sequence[str], once: str | None = None
) -> None:
    """Lets users log in, one after another, and answers the questions of each.

    Args:
        begin: Begins the conversation of one login.
        users: Who may log in; if it is only one, there is nothing to choose.
        once: The only question, if there is to be only one.
    """
    while user := users[0] if len(users) == 1 else _log_in(users):
        conversation = begin(user)
        if once is not None:
            print(conversation.ask(once))
            return
        print(
            f"Logged in as {user}. Ask away; 'history' shows what is remembered, 'logout' or "
            "'exit' ends it."
        )
        if not _converse(conversation) or len(users) == 1:
            return


def _converse(conversation: Conversation) -> bool:
    """Answers questions until the user leaves; whether somebody else may log in then."""
    while question := _read("\n> "):
        if question.lower() == "logout":
            return True
        try:
            if question.lower() == "history":
                turns = [
                    f"{turn['question']}\n  {turn['answer']}" for turn in conversation.history()
                ]
                print("\n".join(turns) or "Nothing is remembered.")
            else:
                print(conversation.ask(question))
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
