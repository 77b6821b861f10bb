"""Parsers of a user's own, as worker processes can import them."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import time
from functools import partial

from managed_sync.documents.parsing.parts import Container, Member, PartsReader


def process_id(data: bytes, *, content_type: str, filename: str) -> str:
    return f"process {os.getpid()}"


def trees_alive(data: bytes, *, content_type: str, filename: str) -> str:
    """Leaves a tree that refers to itself, and says how many such trees there are."""
    gc.disable()  # so that nothing but the worker decides when they go
    _Tree()
    return str(sum(isinstance(one, _Tree) for one in gc.get_objects()))


class _Tree:
    def __init__(self) -> None:
        self.root = self


def by_instruction(data: bytes, *, content_type: str, filename: str) -> str:
    """Does what the file says: ``hang``, ``crash``, ``exit``, ``fill``, or ``raise``."""
    match data.decode():
        case "hang":
            time.sleep(600)
        case "hang with a child":
            subprocess.run([sys.executable, "-c", "import time; time.sleep(600)"], check=False)
        case "crash":
            ctypes.string_at(0)
        case "exit":
            os._exit(3)
        case "fill":
            return "x" * (64 * 1024**3)
        case "raise":
            raise KeyError(filename)
        case "print":
            print("to the standard output")  # noqa: T201
            os.write(1, b"to its descriptor")
            sys.stdin.read()
        case "nothing":
            return " "
    return f"{filename}: {data.decode()}"


class PartsByInstruction:
    """Reads a file of words as a file with parts, each of which does what its word says."""

    def __call__(self, data: bytes, *, content_type: str, filename: str) -> str:
        return PartsReader(self._read).file(data, content_type=content_type, filename=filename)

    def _read(self, data: bytes, content_type: str, filename: str, parts: PartsReader) -> str:
        words = data.decode().split()
        if len(words) == 1:
            return by_instruction(
                words[0].rstrip("0123456789").encode(), content_type="", filename=""
            ).removeprefix(": ")
        if words[0] == "outer":
            ctypes.string_at(0)
        members = [Member(word, partial(_bytes_of, word)) for word in words]
        return parts.text_of(Container("Outer.", members))


def _bytes_of(word: str, limit: int) -> bytes:
    return word.encode()
