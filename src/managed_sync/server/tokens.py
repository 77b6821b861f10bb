"""Bearer tokens: no route is reached without a good one.

Guarantees:
    - Only RS256 signatures by the project's own key count; the token cannot choose another way.
    - A token must name its user and its project and must expire.
    - No message holds the token or a part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from fastapi import Depends, Path
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from managed_sync.server.problems import ProblemError
from managed_sync.server.scope import Scope

__all__ = ["Caller", "TokenVerifier", "protected_by"]

_LEEWAY_SECONDS = 10
_REQUIRED_CLAIMS = ["sub", "aud", "exp", "iat"]


class TokenVerifier:
    """Decides who is calling.

    Args:
        public_key: The public half of the project's signing key.
        project_id: The one project that is served.
    """

    def __init__(self, public_key: RSAPublicKey, project_id: str) -> None:
        self._public_key = public_key
        self._project_id = project_id

    def verify(self, authorization: list[str], project_id: str) -> Scope:
        """The connected user that the request comes from.

        Args:
            authorization: All ``Authorization`` headers of the request.
            project_id: The project in the request's path.

        Raises:
            ProblemError: 401 without a good token, 403 with one for another project, 404 for a
                project that is not here.
        """
        claims = self._claims(_bearer(authorization), audience=f"useparagon.com/{project_id}")
        user = claims["sub"]
        if not user.strip() or not user.isprintable():
            raise _unauthorized("The token's claim 'sub' does not name a user.")
        if project_id != self._project_id:
            raise ProblemError(
                HTTPStatus.NOT_FOUND,
                f"There is no project {project_id!r} here; this server has {self._project_id!r}.",
            )
        return Scope(project_id, user)

    def _claims(self, token: str, *, audience: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._public_key,
                algorithms=["RS256"],
                audience=audience,
                leeway=_LEEWAY_SECONDS,
                options={"require": _REQUIRED_CLAIMS},
            )
        except jwt.ExpiredSignatureError:
            raise _unauthorized("The token has expired; sign a new one.") from None
        except jwt.InvalidSignatureError:
            raise _unauthorized(
                "The token is signed with another key than this project's."
            ) from None
        except jwt.InvalidAlgorithmError:
            raise _unauthorized("The token is not signed with RS256.") from None
        except jwt.MissingRequiredClaimError as error:
            raise _unauthorized(f"The token lacks the claim {error.claim!r}.") from None
        except jwt.ImmatureSignatureError:
            raise _unauthorized(
                "The token is not valid yet; compare the clocks of the two machines."
            ) from None
        except jwt.InvalidAudienceError:
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                f"The token is for another project; here its claim 'aud' must hold {audience!r}.",
            ) from None
        except (jwt.InvalidTokenError, ValueError):
            raise _unauthorized("The token is malformed.") from None
        return claims


def protected_by(verifier: TokenVerifier) -> type[APIRoute]:
    """A kind of route that looks at the token before it looks at anything else.

    Every route of a router with this ``route_class`` is protected, so that none can be forgotten.
    """

    class ProtectedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def verify_and_handle(request: Request) -> Response:
                request.state.caller = verifier.verify(
                    request.headers.getlist("authorization"), request.path_params["projectId"]
                )
                return await handle(request)

            return verify_and_handle

    return ProtectedRoute


def _caller(request: Request, project_id: Annotated[str, Path(alias="projectId")]) -> Scope:
    caller: Scope = request.state.caller
    if caller.project_id != project_id:
        raise ProblemError(HTTPStatus.FORBIDDEN, "The token is for another project.")
    return caller


Caller = Annotated[Scope, Depends(_caller)]
"""The verified connected user, as a parameter of a route."""


def _bearer(authorization: list[str]) -> str:
    if not authorization:
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "No token: send the header 'Authorization: Bearer <token>'.",
            headers={"WWW-Authenticate": 'Bearer realm="managed-sync"'},
        )
    if len(authorization) > 1:
        raise _unauthorized("More than one Authorization header; send one.")
    scheme, _, token = authorization[0].partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unauthorized("The Authorization header must be 'Bearer <token>'.")
    return token.strip()


def _unauthorized(detail: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.UNAUTHORIZED,
        detail,
        headers={"WWW-Authenticate": 'Bearer realm="managed-sync", error="invalid_token"'},
    )
