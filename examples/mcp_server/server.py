"""Permission-aware search for assistants, over the Model Context Protocol.

The user is whoever the verified token was issued to. The tool's schema has the question alone, so
that neither a model nor an assistant can search for somebody else.
"""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from jwt import InvalidTokenError
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import AnyHttpUrl, BaseModel
from starlette.applications import Starlette

from examples.shared.tokens import Verifier
from managed_sync import ManagedSyncError
from managed_sync.langchain import PermissionAwareRetriever
from managed_sync.retrieval.citations import position

__all__ = ["create_app"]

log = logging.getLogger(__name__)


class Passage(BaseModel):
    """The result for an assistant: a text to answer from, and its citations."""

    number: int
    place: str
    url: str
    text: str


class Passages(BaseModel):
    """The passages that were found; none, if there are none that the user may read."""

    passages: list[Passage]


class SignedTokens(TokenVerifier):
    """Accepts tokens that the issuer signed for this server."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    async def verify_token(self, token: str) -> AccessToken | None:
        """Returns the claims of a token, or ``None`` if it is not valid."""
        try:
            claims = self._verifier.claims(token)
        except InvalidTokenError:
            return None
        return AccessToken(
            token=token,
            client_id=claims["sub"],
            subject=claims["sub"],
            scopes=[],
            expires_at=claims["exp"],
            resource=claims["aud"],
            claims={"iss": claims["iss"]},
        )


def create_app(
    retriever: PermissionAwareRetriever, verifier: Verifier, *, issuer: str, address: str
) -> Starlette:
    """The server, as an ASGI application.

    Args:
        retriever: What to search with; it is bound to nobody.
        verifier: Verifies the tokens of assistants.
        issuer: The address where an assistant gets a token for its user.
        address: This server's own; tokens must be issued for it.
    """
    server = MCPServer(
        "documents",
        instructions="Search the user's documents here, and cite what you use.",
        token_verifier=SignedTokens(verifier),
        auth=AuthSettings(
            issuer_url=AnyHttpUrl(issuer),
            resource_server_url=AnyHttpUrl(address),
            validate_token_resource=True,
        ),
        log_level="WARNING",
    )

    @server.tool()
    async def search_documents(query: str) -> Passages:
        """Searches the documents that the user may read, and returns passages to cite.

        Args:
            query: What to look for, as a question or a few words.
        """
        token = get_access_token()
        if token is None or token.subject is None:
            raise ToolError("There is no user to search for.")
        try:
            documents = await retriever.ainvoke(query, subject=token.subject)
        except ManagedSyncError as error:
            # It may name objects that the user may not know of: it goes into the log only.
            log.warning("No passages: %s", error)
            raise ToolError("What the user may read could not be decided. Try later.") from None
        return Passages(
            passages=[
                Passage(
                    number=number,
                    place=position(document.metadata),
                    url=document.metadata.get("url", ""),
                    text=document.page_content,
                )
                for number, document in enumerate(documents, start=1)
            ]
        )

    # Without sessions: each request stands on its own token, and none outlives it.
    return server.streamable_http_app(
        streamable_http_path=urlsplit(address).path, stateless_http=True
    )
