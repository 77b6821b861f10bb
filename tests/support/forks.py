"""Runs a function in a process that is forked from this one, as servers do with their workers."""

from __future__ import annotations

import json
import os
import signal
import warnings
from collections.abc import Callable
from typing import Any

import pytest

__all__ = ["in_child", "needs_fork"]

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
_LONGEST_SECONDS = 20


def in_child(function: Callable[[], Any]) -> Any:
    """Returns the function's JSON result in a child process, which is ended if it hangs."""
    readable, writable = os.pipe()
    with warnings.catch_warnings():
        # Python warns of forks beside threads, which is what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        process = os.fork()
    if process == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_LONGEST_SECONDS)
        try:
            said = function()
        except BaseException as error:  # noqa: BLE001 - told to the parent
            said = f"{type(error).__name__}: {error}"
        os.write(writable, json.dumps(said).encode())
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as pipe:
        said = pipe.read()
    os.waitpid(process, 0)
    return json.loads(said) if said else "the child hung or died"
