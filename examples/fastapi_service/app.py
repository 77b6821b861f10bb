"""A chat service: login, conversations, and answers that stream, with citations.

The user is who the token says; no body of a request names one.
"""

# FastAPI reads the annotations of the functions inside create_app, so they are not postponed here.

import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.sse import EventSourceResponse, ServerSentEvent
from jwt import InvalidTokenError
from pydantic import BaseModel, Field

from examples.fastapi_service.conversation import Conversation
from examples.shared.chat_model import ChatModelError
from examples.shared.memory import Turn
from examples.shared.tokens import Issuer
from managed_sync import ManagedSyncError

__all__ = ["create_app"]

log = logging.getLogger(__name__)

PAGE = Path(__file__).with_name("page.html")
# The page is one file, and talks to this server only.
PAGE_POLICY = (
    "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"
)
# Our own errors may name objects that the user may not know of: they go into the log only.
UNDECIDED = "What you may read could not be decided, so there is no answer. Try again later."


class Credentials(BaseModel):
    """The body of a login request."""

    user: str
    password: str


class Question(BaseModel):
    """All that a question says; who asks is not among it."""

    question: str = Field(min_length=1, max_length=2000)


def create_app(
    begin: Callable[[str], Conversation],
    issuer: Issuer,
    is_right: Callable[[str, str], bool],
) -> FastAPI:
    """The service.

    Args:
        begin: Begins a conversation of a user.
        issuer: Issues the tokens of those who have logged in.
        is_right: Whether a password is a user's. An application of your own leaves the login to
            its identity provider, and verifies that one's tokens.
    """
    # The usual pages about the API load scripts from elsewhere.
    app = FastAPI(title="Permission-aware chat", docs_url=None, redoc_url=None)
    verifier = issuer.verifier()
    # In memory here. In a database, too, keep the user in the key.
    conversations: dict[tuple[str, str], Conversation] = {}

    def current_user(
        credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
    ) -> str:
        try:
            return str(verifier.claims(credentials.credentials)["sub"])
        except InvalidTokenError:
            raise HTTPException(
                401, "Log in again.", headers={"WWW-Authenticate": "Bearer"}
            ) from None

    def own_conversation(
        conversation: str, user: Annotated[str, Depends(current_user)]
    ) -> Conversation:
        try:
            return conversations[user, conversation]
        except KeyError:
            # The same for another user's: nobody learns that it exists.
            raise HTTPException(404, "You have no such conversation.") from None

    @app.get("/", response_class=HTMLResponse)
    def page() -> HTMLResponse:
        text = PAGE.read_text(encoding="utf-8")
        return HTMLResponse(text, headers={"Content-Security-Policy": PAGE_POLICY})

    @app.post("/login")
    def login(credentials: Credentials) -> dict[str, str]:
        if not is_right(credentials.user, credentials.password):
            raise HTTPException(401, "The user or the password is wrong.")
        return {"access_token": issuer.issue(credentials.user), "token_type": "bearer"}

    @app.post("/conversations", status_code=201)
    def new_conversation(user: Annotated[str, Depends(current_user)]) -> dict[str, str]:
        conversation = uuid4().hex
        conversations[user, conversation] = begin(user)
        return {"conversation": conversation}

    @app.get("/conversations/{conversation}")
    async def history(
        conversation: Annotated[Conversation, Depends(own_conversation)],
    ) -> list[Turn]:
        try:
            return await conversation.history()
        except ManagedSyncError as error:
            log.warning("No history: %s", error)
            raise HTTPException(503, UNDECIDED) from None

    @app.post("/conversations/{conversation}/questions", response_class=EventSourceResponse)
    async def ask(
        question: Question, conversation: Annotated[Conversation, Depends(own_conversation)]
    ) -> AsyncIterator[ServerSentEvent]:
        try:
            async for piece in conversation.answer(question.question):
                event = "text" if isinstance(piece, str) else "citations"
                yield ServerSentEvent(event=event, data=piece)
        except ManagedSyncError as error:
            log.warning("No answer: %s", error)
            yield ServerSentEvent(event="error", data=UNDECIDED)
        except ChatModelError as error:
            log.warning("No answer: %s", error)
            yield ServerSentEvent(event="error", data=str(error))

    return app
