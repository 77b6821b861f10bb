"""Sources of a client's bearer token; see ``docs/decisions/0015-client-credentials.md``.

Guarantees:

- No representation and no error message contains a token or a key.
- Threads and tasks that need a new token at the same time cause one call of the token callable.
- A lock or a call in progress is never taken over from the process that a fork copied.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, TypeAlias

from pydantic import SecretStr

from managed_sync.client.clock import Clock, SystemClock
from managed_sync.client.tokens import connected_user, expires_at, read_token
from managed_sync.errors import ConfigurationError, CredentialsError
from managed_sync.forks import OfProcess
from managed_sync.private_keys import private_key

__all__ = [
    "AsyncTokenCallable",
    "CallableTokens",
    "Credentials",
    "FixedToken",
    "SignedTokens",
    "TokenCallable",
    "credentials_of",
]

_Secret: TypeAlias = str | SecretStr
TokenCallable: TypeAlias = Callable[[], _Secret]
AsyncTokenCallable: TypeAlias = Callable[[], _Secret | Awaitable[_Secret]]

_RENEW_BEFORE_EXPIRY = 60  # seconds, so that a token never runs out on its way


class Credentials(ABC):
    """A source of bearer tokens.

    Attributes:
        can_renew: ``True`` if a rejected token may have a successor.
    """

    can_renew = False

    @property
    def user(self) -> str | None:
        """The connected user of the tokens; ``None`` if unknown before a token is requested."""
        return None

    @abstractmethod
    def get(self, rejected: SecretStr | None = None) -> SecretStr:
        """Returns a valid token; another one than ``rejected``, if there is one."""

    async def aget(self, rejected: SecretStr | None = None) -> SecretStr:
        """Does the same as ``get`` without blocking the event loop."""
        return self.get(rejected)


class FixedToken(Credentials):
    """One token for the lifetime of the client.

    Raises:
        ConfigurationError: The string cannot be a token.
    """

    def __init__(self, token: SecretStr) -> None:
        usable = read_token(token)
        if usable is None:
            raise ConfigurationError(
                "token must be a non-empty string of printable ASCII characters without blanks: "
                "check MANAGED_SYNC_TOKEN or the token argument for stray blanks or quotes."
            )
        self._token = usable

    def token(self) -> str:
        """Returns the token as a string."""
        return self._token.get_secret_value()

    @property
    def user(self) -> str | None:
        """The token's ``sub``, if it is a JWT."""
        return connected_user(self._token)

    def get(self, rejected: SecretStr | None = None) -> SecretStr:
        """Returns the token."""
        return self._token


class SignedTokens(Credentials, OfProcess):
    r"""Tokens for one user of one project, signed with the project's RSA private key.

    Args:
        key: The private key in PEM. Line breaks may be written as ``\n``, as is common in
            environment variables.
        user_id: The connected user, for the claim ``sub``.
        project_id: The project, for the claim ``aud``.
        lifetime: Seconds until a token expires. It is renewed a minute earlier.

    Raises:
        ConfigurationError: The key cannot be read.
    """

    def __init__(
        self, key: SecretStr, *, user_id: str, project_id: str, lifetime: int = 3600
    ) -> None:
        self._key = SecretStr(key.get_secret_value().replace("\\n", "\n"))
        self._user_id = user_id
        self._audience = f"useparagon.com/{project_id}"
        self._lifetime = lifetime
        self._token = SecretStr("")
        self._signed_at = -math.inf
        self._enter_process()
        self.get()

    def _begin(self) -> None:
        self._lock = threading.Lock()

    @property
    def user(self) -> str | None:
        """The connected user."""
        return self._user_id

    def token(self) -> str:
        """Returns a token that is valid for at least a minute, as a string."""
        return self.get().get_secret_value()

    def get(self, rejected: SecretStr | None = None) -> SecretStr:
        """Returns a token that is valid for at least a minute."""
        with self._lock:
            now = time.time()
            # After the clock was put back, the token is from the future, which no API accepts.
            if not 0 <= now - self._signed_at <= self._lifetime - _RENEW_BEFORE_EXPIRY:
                self._token = self._sign(int(now))
                self._signed_at = now
            return self._token

    def _sign(self, now: int) -> SecretStr:
        # Only users of a signing key pay for importing these.
        import jwt  # noqa: PLC0415
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415

        claims = {
            "sub": self._user_id,
            "aud": self._audience,
            "iat": now,
            "exp": now + self._lifetime,
        }
        try:
            key: Any = private_key(self._key.get_secret_value().encode())
            return SecretStr(jwt.encode(claims, key, algorithm="RS256"))
        except (ValueError, TypeError, UnsupportedAlgorithm, jwt.PyJWTError):
            pass
        # Raised outside, since the library's message and the variables in its frames hold the key.
        raise ConfigurationError(
            "signing_key must be an RSA private key in PEM: check MANAGED_SYNC_SIGNING_KEY or the "
            "signing_key argument."
        )


class CallableTokens(Credentials, OfProcess):
    """Tokens from a callable, each kept until it is about to expire or was rejected.

    When several threads or tasks need a new token, the callable is called once, and all of them get
    its result or its error. Safe to share between threads.

    Args:
        ask: Returns a token. A coroutine function works with an asynchronous client only, which
            calls any other function in a thread.
        clock: The clock that a JWT's ``exp`` is compared with. A token of another form is kept
            until the API rejects it.
    """

    can_renew = True

    def __init__(self, ask: AsyncTokenCallable, clock: Clock | None = None) -> None:
        self._ask = ask
        self._clock = clock or SystemClock()
        self._token: SecretStr | None = None
        self._renew_at = math.inf
        self._enter_process()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._asking: Future[SecretStr] | None = None
        self._tasks: dict[asyncio.AbstractEventLoop, asyncio.Task[SecretStr]] = {}

    @property
    def user(self) -> str | None:
        """The ``sub`` of the latest token, if it is a JWT."""
        with self._lock:
            return None if self._token is None else connected_user(self._token)

    def get(self, rejected: SecretStr | None = None) -> SecretStr:
        """Returns the kept token, or a new one.

        Raises:
            CredentialsError: The callable failed, or did not return a token.
        """
        with self._lock:
            if self._token is not None and not self._is_used_up(self._token, rejected):
                return self._token
            asking, is_mine = self._asking, self._asking is None
            if asking is None:
                asking = self._asking = Future()
        if is_mine:
            self._renew(asking)
        return _result_of(asking)

    async def aget(self, rejected: SecretStr | None = None) -> SecretStr:
        """Does the same as ``get`` without blocking the event loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._token is not None and not self._is_used_up(self._token, rejected):
                return self._token
            task = self._tasks.get(loop)
            if task is None:
                # A separate task, since the caller's may be canceled while others wait.
                task = self._tasks[loop] = loop.create_task(self._arenew(loop))
        await asyncio.wait([task])
        return _result_of(task)

    def _renew(self, asking: Future[SecretStr]) -> None:
        failure: BaseException = CredentialsError("The call of the token callable was interrupted.")
        token: SecretStr | None = None
        try:
            token = self._read(self._ask())
        except Exception as error:  # noqa: BLE001 - raised to all who wait
            failure = _failed(error)
        finally:
            with self._lock:
                self._asking = None
                if token is not None:
                    self._keep(token)
            if token is not None:
                asking.set_result(token)
            else:
                asking.set_exception(failure)

    async def _arenew(self, loop: asyncio.AbstractEventLoop) -> SecretStr:
        failure: BaseException
        try:
            if inspect.iscoroutinefunction(self._ask):
                given = await self._ask()
            else:
                given = await asyncio.to_thread(self._ask)
                if inspect.isawaitable(given):
                    given = await given
            token = self._read(given)
        except Exception as error:  # noqa: BLE001 - raised to all who wait
            failure = _failed(error)
        else:
            with self._lock:
                self._keep(token)
            return token
        finally:
            with self._lock:
                self._tasks.pop(loop, None)
        raise failure

    def _is_used_up(self, token: SecretStr, rejected: SecretStr | None) -> bool:
        return token == rejected or self._clock.time() >= self._renew_at

    def _keep(self, token: SecretStr) -> None:
        now = self._clock.time()
        end = expires_at(token)
        # A token that lives for less than two minutes is used for the first half of its life.
        margin = min(_RENEW_BEFORE_EXPIRY, max(0.0, end - now) / 2)
        self._token, self._renew_at = token, end - margin

    def _read(self, given: object) -> SecretStr:
        if inspect.isawaitable(given):
            if inspect.iscoroutine(given):
                given.close()
            raise CredentialsError(
                "The token callable is asynchronous: use it with AsyncManagedSyncClient, or pass "
                "an ordinary function."
            )
        token = read_token(given)
        if token is None:
            raise CredentialsError(
                f"The token callable must return a non-empty str or SecretStr without blanks, got "
                f"an unusable {type(given).__name__}."
            )
        return token


def credentials_of(
    project_id: str,
    token: _Secret | AsyncTokenCallable | None,
    signing_key: _Secret | None,
    user_id: str | None,
    clock: Clock,
) -> Credentials:
    """Returns the credentials that a client's arguments describe.

    Raises:
        ConfigurationError: They are missing or invalid.
    """
    if callable(token):
        return CallableTokens(token, clock)
    if token:
        return FixedToken(_secret(token))
    if signing_key and user_id:
        return SignedTokens(_secret(signing_key), user_id=user_id, project_id=project_id)
    raise ConfigurationError(
        "No credentials: pass token, or signing_key and user_id (from the environment: "
        "MANAGED_SYNC_TOKEN, or MANAGED_SYNC_SIGNING_KEY and MANAGED_SYNC_USER_ID)."
    )


def _secret(value: _Secret) -> SecretStr:
    return value if isinstance(value, SecretStr) else SecretStr(value)


def _result_of(shared: Future[SecretStr] | asyncio.Task[SecretStr]) -> SecretStr:
    """Returns the token; raises a new error for each caller, so that their traces stay apart."""
    try:
        return shared.result()
    except CredentialsError as error:
        failure = error
    raise CredentialsError(str(failure)) from failure.__cause__


def _failed(error: Exception) -> CredentialsError:
    if isinstance(error, CredentialsError):
        return error
    # Without its message, which may quote what the callable sent.
    failure = CredentialsError(f"The token callable failed with {type(error).__name__}.")
    failure.__cause__ = error
    return failure
