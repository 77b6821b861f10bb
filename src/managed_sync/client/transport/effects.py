"""What a flow asks its client to do, since a flow does no I/O itself.

A flow is a generator that yields steps and receives their answers, or their errors. It returns what
the client's method returns.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from pydantic import SecretStr

from managed_sync.client.wire.request import Answer, Request
from managed_sync.models import RecordPage, SyncedRecord

__all__ = [
    "Authorize",
    "Begin",
    "Drain",
    "Emit",
    "Finish",
    "Flow",
    "Open",
    "Opened",
    "Pause",
    "Send",
    "Step",
    "Together",
    "WaitFor",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Authorize:
    """Get a token; its answer is a ``SecretStr``.

    ``rejected`` is a token that the API did not accept, and that should be replaced.
    """

    rejected: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request and read its answer whole; its answer is an ``Answer``."""

    request: Request
    token: SecretStr


@dataclass(frozen=True, slots=True)
class Open:
    """Send a request and leave the body of a success unread; its answer is an ``Opened``.

    Without a token, nothing that belongs to the API is sent: ``url`` is on a host of others.
    """

    request: Request
    url: str
    token: SecretStr | None


@dataclass(frozen=True, slots=True)
class Opened(Answer):
    """An answer whose body is still to be read from ``response``, if it is a success."""

    request: Request = field(kw_only=True)
    response: Any = field(kw_only=True, repr=False)


@dataclass(frozen=True, slots=True)
class Drain:
    """Read the content in an opened answer and close it; its answer is the ``bytes``."""

    opened: Opened
    record_id: str
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait; its answer is ``None``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class WaitFor:
    """Wait until a place is given; its answer is ``None``."""

    place: Future[None]


@dataclass(frozen=True, slots=True)
class Together:
    """Carry out some flows at the same time; its answer is the list of what they return.

    The first one, in their order, that fails is the step's error; the others are abandoned.
    """

    flows: Sequence[Flow[Any]]


@dataclass(frozen=True, slots=True)
class Begin:
    """Carry out a flow in the background; its answer is what to ``Finish``."""

    flow: Flow[Any]


@dataclass(frozen=True, slots=True)
class Finish:
    """Wait for a flow that was begun; its answer is what that flow returns."""

    begun: Any


@dataclass(frozen=True, slots=True)
class Emit:
    """Hand records to the caller, and go on when they are consumed."""

    records: Sequence[SyncedRecord] | Sequence[RecordPage]


Step: TypeAlias = (
    Authorize | Send | Open | Drain | Pause | WaitFor | Together | Begin | Finish | Emit
)
Flow: TypeAlias = Generator[Step, Any, T]
