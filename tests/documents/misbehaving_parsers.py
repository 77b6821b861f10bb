"""Parsers of a user's own, as worker processes can import them."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import time


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
