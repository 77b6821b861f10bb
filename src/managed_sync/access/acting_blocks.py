"""The blocks of ``acting_as``, and the one that is around a call.

Guarantees:

- A block counts for the code inside it, for the tasks that this code starts, and for threads that
  are given its context. It never counts for anybody else.
- A block that has ended counts nowhere. Tasks that outlive it raise: a web server may have started
  the next request of a connection in the context of the one before.
- A block that is entered in a generator counts only for what the generator itself calls. Whoever
  reads from the generator never gets its identity, and neither does another generator.
- If that is not certain, ``surrounding_block`` raises.

A context variable carries the block along. The variable alone is not enough: a generator runs in
the context of its reader, so the variable of a block around a ``yield`` stays set while the reader
continues. A block therefore also knows the frame whose code it surrounds, and the call stack must
agree.

See ``docs/decisions/0034-access-acting-as.md``.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from itertools import takewhile
from types import FrameType
from typing import Final

from managed_sync.errors import ConfigurationError, MissingSubjectError

__all__ = ["Block", "generator_around", "is_calling", "named_around", "surrounding_block"]

_GENERATOR: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_WAY_OUT: Final = (
    "Use for_subject(), or pass subject=... or config={'configurable': {'subject': ...}}, where a "
    "generator yields."
)

_current: ContextVar[Block | None] = ContextVar("managed_sync_acting_as", default=None)
# The open blocks of each frame, the innermost last.
_open: dict[FrameType, list[Block]] = {}
# And those that an ordinary function entered which a generator had called.
_left_open: dict[FrameType, list[Block]] = {}


class Block:
    """A block of code in which everything retrieves for one subject.

    Args:
        subject: The subject.
        caller: The frame that enters the block.
    """

    def __init__(self, subject: str, caller: FrameType) -> None:
        self.subject = subject
        self.frame: FrameType | None = _surrounded(caller)
        self.in_generator = _is_generator(self.frame)
        # A context manager may be entered far from the code that runs inside it.
        self._may_be_misplaced = not self.in_generator and self.frame is not caller
        # An ordinary function that returns before the block ends leaves it to this generator.
        self._generator = None if self.in_generator else _generator_below(self.frame)
        self._is_stranded = False
        self.outer = _left_to(_current.get())
        _open.setdefault(self.frame, []).append(self)
        if self._generator is not None:
            _left_open.setdefault(self._generator, []).append(self)
        self._entered = _current.set(self)

    def close(self) -> bool:
        """Ends the block; returns whether all blocks that were entered inside had ended before.

        Raises:
            ConfigurationError: The block has ended already.
        """
        if self.frame is None:
            raise ConfigurationError("This block of acting_as() has ended already.")
        _forget(_open, self.frame, self)
        if self._generator is not None:
            _forget(_left_open, self._generator, self)
        current = _current.get()
        inside = takewhile(lambda block: block is not self, _and_outer(current))
        is_in_order = self not in _and_outer(current) or not any(block.is_open for block in inside)
        is_left = is_in_order and self._leave_context(current)
        # Otherwise some context keeps it, and it counts there no longer.
        self._is_stranded = not is_left or self.in_generator
        self.frame = self._generator = None
        self.outer = next((block for block in _and_outer(self.outer) if block.is_open), None)
        return is_in_order

    def _leave_context(self, current: Block | None) -> bool:
        """Unsets the block; returns whether this is the context in which it was entered."""
        try:
            _current.reset(self._entered)
        except ValueError:
            return False
        _current.set(_left_to(self.outer) if self in _and_outer(current) else current)
        return True

    @property
    def is_open(self) -> bool:
        """``True`` until the block has ended."""
        return self.frame is not None

    @property
    def has_ended_well(self) -> bool:
        """``True`` if the block has ended and is left only to code that was started inside it."""
        return not self.is_open and not self._is_stranded

    def counts_elsewhere(self) -> bool:
        """Returns whether code that the block's frame does not call can be inside the block.

        Such code runs in a task or thread that was started inside, or in the body of a context
        manager that entered the block.
        """
        frame = self.frame
        if frame is None or self._is_stranded or self.in_generator:
            return False
        if self._generator is None or frame.f_code.co_flags & inspect.CO_COROUTINE:
            return True
        return any(frame in _stack(top) for top in sys._current_frames().values())


def surrounding_block() -> Block | None:
    """Returns the block that is around the calling code, if there is one.

    Raises:
        MissingSubjectError: The block that the calling code was started in has ended.
        ConfigurationError: The context and the call stack name different blocks.
    """
    block = _left_to(_current.get())
    innermost = _innermost(block, sys._getframe(1))
    if _is_left_open(block, sys._getframe(1)):
        raise ConfigurationError(
            "acting_as() was entered by a function that a generator called, and the generator was "
            f"resumed where another subject holds. {_WAY_OUT}"
        )
    if block is innermost:
        return block
    if block is None and innermost is not None and innermost.in_generator:
        raise ConfigurationError(
            "acting_as() surrounds a yield, and its generator was resumed in another context, as "
            f"by another thread, where the subject does not hold. {_WAY_OUT}"
        )
    if block is None:
        return None
    if block.has_ended_well:
        raise MissingSubjectError(
            "The block of acting_as() in which this task, thread or request was started has ended"
        )
    if not block.counts_elsewhere():
        raise ConfigurationError(
            "acting_as() surrounds a yield, or was left out of order: its subject is set in this "
            f"context, and this call is not inside its block. {_WAY_OUT}"
        )
    if innermost is not None and (innermost.in_generator or innermost not in _and_outer(block)):
        raise ConfigurationError(
            "Two blocks of acting_as() overlap: the call stack is inside one, and the context "
            f"belongs to the other. {_WAY_OUT}"
        )
    return block


def named_around() -> set[str]:
    """Returns the subjects of all blocks that may be around the calling code."""
    block = _left_to(_current.get())
    blocks = (block, _innermost(block, sys._getframe(1)))
    return {block.subject for block in blocks if block is not None and not block.has_ended_well}


def generator_around(caller: FrameType) -> FrameType | None:
    """Returns the frame of the generator in which a block is entered, if it is one.

    Args:
        caller: The frame that enters the block.
    """
    frame = _surrounded(caller)
    return frame if _is_generator(frame) else None


def is_calling(frame: FrameType) -> bool:
    """Returns whether the code of a frame calls this function, over any number of others."""
    return frame in _stack(sys._getframe(1))


def _surrounded(frame: FrameType) -> FrameType:
    """Returns the frame whose code a block surrounds, past context managers that enter it."""
    while (caller := frame.f_back) is not None and (
        _is_contextlib(frame)
        or frame.f_code.co_name in ("__enter__", "__aenter__")
        or (_is_generator(frame) and _is_contextlib(caller))
    ):
        frame = caller
    return frame


def _generator_below(frame: FrameType) -> FrameType | None:
    for below in _stack(frame):
        if _is_generator(below) and not (below.f_back and _is_contextlib(below.f_back)):
            return below
    return None


def _innermost(current: Block | None, frame: FrameType) -> Block | None:
    """Returns the innermost open block of this call stack, as far as it is certain."""
    if not _open:
        return None
    for caller in _stack(frame):
        for block in reversed(_open.get(caller, ())):
            if block is current or not block._may_be_misplaced:  # noqa: SLF001 - own class
                return block
    return None


def _is_left_open(current: Block | None, frame: FrameType) -> bool:
    """Returns whether a generator on this call stack is in a block that the context lacks."""
    around = list(_and_outer(current))
    return bool(_left_open) and any(
        block not in around for caller in _stack(frame) for block in _left_open.get(caller, ())
    )


def _forget(blocks: dict[FrameType, list[Block]], frame: FrameType, block: Block) -> None:
    blocks[frame].remove(block)
    if not blocks[frame]:
        del blocks[frame]


def _stack(top: FrameType) -> Iterator[FrameType]:
    frame: FrameType | None = top
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_generator(frame: FrameType) -> bool:
    return bool(frame.f_code.co_flags & _GENERATOR)


def _is_contextlib(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__") == "contextlib"


def _and_outer(block: Block | None) -> Iterator[Block]:
    while block is not None:
        yield block
        block = block.outer


def _left_to(block: Block | None) -> Block | None:
    """Returns the block that counts once this one has ended: the block around it, or none.

    A stranded block stays set if another one is around it. Its code may still be running, and must
    not continue as somebody else.
    """
    return block if any(not each._is_stranded for each in _and_outer(block)) else None  # noqa: SLF001 - own class
