"""Where a client's bearer token comes from; neither tokens nor keys show in a representation."""

from __future__ import annotations

import asyncio
import base64
import binascii
import inspect
import json
import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, TypeAlias

from pydantic import SecretStr

from managed_sync.client.transport.clock import Clock, SystemClock
from managed_sync.errors import ConfigurationError, CredentialsError
from managed_sync.forks import OfProcess

__all__ = [
    "AsyncTokenCallable",
    "Credentials",
    "FixedToken",
    "SigningKey",
    "TokenCallable",
    "TokenFrom",
    "credentials_of",
]

Secret: TypeAlias = str | SecretStr
TokenCallable: TypeAlias = Callable[[], Secret]
AsyncTokenCallable: TypeAlias = Callable[[], Secret | Awaitable[Secret]]

_RENEW_BEFORE_EXPIRY = 60  # seconds, so that a token never runs out on its way


class Credentials(ABC):
    """Gives the bearer token for the next request."""

    can_renew = False
    """Whether there may be another token after one that the API rejected."""

    @property
    def user(self) -> str | None:
        """The connected user that the tokens are for, as far as that is known without asking."""
        return None

    @abstractmethod
    def get(self, rejected: SecretStr | None = None) -> SecretStr:
        """A token that is valid now, and that is not ``rejected`` if there is another one."""

    async def aget(self, rejected: SecretStr | None = None) -> SecretStr:
        """Like ``get``, without blocking the event loop."""
        return self.get(rejected)


class FixedToken(Credentials):
    """One token for as long as the client lives."""

    def __init__(self, token: SecretStr) -> None:
        self._token = _stripped(token)
        if not _is_token(self._token):
            raise ConfigurationError(
                "The token is empty or has characters that no token has; "
                "check MANAGED_SYNC_TOKEN or the token argument for stray blanks or quotes."
            )

    def token(self) -> str:
        """The token."""
        return self._token.get_secret_value()

    @property
    def user(self) -> str | None:
        """The token's ``sub``, if it is a JWT."""
        return _user(self._token)

    def get(self, rejected: SecretStr | None = None) -> SecretStr:
        """The token."""
        return self._token


class SigningKey(Credentials, OfProcess):
    r"""Makes tokens for one user of one project with the project's RSA private key.

    Args:
        key: The private key in PEM. Line breaks written as ``\n`` are understood, since
            environment variables often carry them so.
        user_id: The connected user, which becomes the token's ``sub``.
        project_id: The project, which becomes the token's ``aud``.
        lifetime: Seconds until a token expires; it is renewed a minute before.

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
        """A token with at least a minute to live."""
        return self.get().get_secret_value()

    def get(self, rejected: SecretStr | None = None) -> SecretStr:
        """A token with at least a minute to live."""
        with self._lock:
            now = time.time()
            # A clock that was put back makes the token one of the future, which no API accepts.
            if not 0 <= now - self._signed_at <= self._lifetime - _RENEW_BEFORE_EXPIRY:
                self._token = self._sign(int(now))
                self._signed_at = now
            return self._token

    def _sign(self, now: int) -> SecretStr:
        import jwt  # noqa: PLC0415 - only users of a signing key pay for importing cryptography

        claims = {
            "sub": self._user_id,
            "aud": self._audience,
            "iat": now,
            "exp": now + self._lifetime,
        }
        try:
            return SecretStr(jwt.encode(claims, self._key.get_secret_value(), algorithm="RS256"))
        except (ValueError, TypeError, jwt.PyJWTError):
            pass
        # Raised here, since the library's message and the variables of its frames hold the key.
        raise ConfigurationError(
            "The signing key is not an RSA private key in PEM: check MANAGED_SYNC_SIGNING_KEY "
            "or the signing_key argument."
        )


class TokenFrom(Credentials, OfProcess):
    """Tokens from a callable, each kept until it is about to expire or was rejected.

    However many threads or tasks need a new token at the same time, the callable is asked once, and
    its answer, or its error, is theirs. Safe to share between threads.

    Args:
        ask: Gives a token. A coroutine function can only be used by an asynchronous client, which
            calls any other one in a thread.
        clock: What the expiry of a token, a JWT's ``exp``, is compared with. Any other token is
            kept until the API rejects it.
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
            return None if self._token is None else _user(self._token)

    def get(self, rejected: SecretStr | None = None) -> SecretStr:
        """The kept token, or a new one.

        Raises:
            CredentialsError: The callable failed, or what it gave is no token.
        """
        with self._lock:
            if self._token is not None and not self._is_used_up(self._token, rejected):
                return self._token
            asking, is_mine = self._asking, self._asking is None
            if asking is None:
                asking = self._asking = Future()
        if is_mine:
            self._renew(asking)
        return _own(asking.result)

    async def aget(self, rejected: SecretStr | None = None) -> SecretStr:
        """Like ``get``, without blocking the event loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._token is not None and not self._is_used_up(self._token, rejected):
                return self._token
            task = self._tasks.get(loop)
            if task is None:
                # A task of its own: the caller's may be cancelled while others wait.
                task = self._tasks[loop] = loop.create_task(self._arenew(loop))
        await asyncio.wait([task])
        return _own(task.result)

    def _renew(self, asking: Future[SecretStr]) -> None:
        failure: BaseException = CredentialsError("Asking for a token was interrupted.")
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
        expires_at = _expiry(token)
        # Of a token that lives for less than two minutes, the first half is used.
        margin = min(_RENEW_BEFORE_EXPIRY, max(0.0, expires_at - now) / 2)
        self._token, self._renew_at = token, expires_at - margin

    def _read(self, given: object) -> SecretStr:
        if inspect.isawaitable(given):
            if inspect.iscoroutine(given):
                given.close()
            raise CredentialsError(
                "The token callable is asynchronous: use it with AsyncManagedSyncClient, or pass "
                "an ordinary function."
            )
        if isinstance(given, str | SecretStr):
            token = _stripped(_secret(given))
            if _is_token(token):
                return token
        raise CredentialsError(
            f"The token callable gave no token, but a {type(given).__name__} that is not one: it "
            f"must return a str or SecretStr without blanks."
        )


def credentials_of(
    project_id: str,
    token: Secret | AsyncTokenCallable | None,
    signing_key: Secret | None,
    user_id: str | None,
    clock: Clock,
) -> Credentials:
    """The credentials that a client's arguments describe.

    Raises:
        ConfigurationError: There are none, or they make no sense.
    """
    if callable(token):
        return TokenFrom(token, clock)
    if token:
        return FixedToken(_secret(token))
    if signing_key and user_id:
        return SigningKey(_secret(signing_key), user_id=user_id, project_id=project_id)
    raise ConfigurationError(
        "No credentials: pass token, or signing_key and user_id (from the environment: "
        "MANAGED_SYNC_TOKEN, or MANAGED_SYNC_SIGNING_KEY and MANAGED_SYNC_USER_ID)."
    )


def _own(result: Callable[[], SecretStr]) -> SecretStr:
    """The shared result; an error is a new one for each who waited, so that traces stay apart."""
    try:
        return result()
    except CredentialsError as error:
        shared = error
    raise CredentialsError(str(shared)) from shared.__cause__


def _failed(error: Exception) -> CredentialsError:
    if isinstance(error, CredentialsError):
        return error
    # Its message is left out: it may quote what the callable sent.
    failure = CredentialsError(f"The token callable failed with {type(error).__name__}.")
    failure.__cause__ = error
    return failure


def _expiry(token: SecretStr) -> float:
    """When a JWT expires, which only its receiver can verify; never, for any other token."""
    try:
        return float(_claims(token)["exp"])
    except (ValueError, TypeError, KeyError, OverflowError):
        return math.inf


def _user(token: SecretStr) -> str | None:
    """The user that a JWT is for; ``None`` for any other token."""
    user = _claims(token).get("sub")
    return user if isinstance(user, str) else None


def _claims(token: SecretStr) -> dict[str, Any]:
    """What a JWT states, unverified; nothing for any other token."""
    parts = token.get_secret_value().split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError, binascii.Error):
        return {}
    return claims if isinstance(claims, dict) else {}


def _secret(value: Secret) -> SecretStr:
    return value if isinstance(value, SecretStr) else SecretStr(value)


def _stripped(token: SecretStr) -> SecretStr:
    return SecretStr(token.get_secret_value().strip())


def _is_token(token: SecretStr) -> bool:
    value = token.get_secret_value()
    return bool(value) and value.isascii() and value.isprintable() and " " not in value
