"""One user's conversation, whose answers come piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import StrOutputParser

from examples.shared.answers import (
    Citation,
    Passage,
    citations,
    extractive_answer,
    numbered,
    object_ids,
)
from examples.shared.chat_model import model_errors
from examples.shared.langchain_prompts import ANSWER, STANDALONE, as_messages
from examples.shared.memory import Memory, Turn
from managed_sync import AccessChecker
from managed_sync.langchain import PermissionAwareRetriever

__all__ = ["Conversation"]


class Conversation:
    """A retriever that is bound to one user, and a memory of what this user asked.

    Args:
        retriever: What to search with; it is bound to the user here.
        checker: Decides what of the memory the user may still read.
        user: Who has logged in, as the token says.
        model: Any chat model of LangChain's; without one, the answer is extractive.
    """

    def __init__(
        self,
        retriever: PermissionAwareRetriever,
        checker: AccessChecker,
        user: str,
        model: BaseChatModel | None = None,
    ) -> None:
        self._retriever = retriever.for_subject(user)
        self._memory = Memory(checker, user)
        self._answer = ANSWER | model | StrOutputParser() if model else None
        self._standalone = STANDALONE | model | StrOutputParser() if model else None

    async def answer(self, question: str) -> AsyncIterator[str | list[Citation]]:
        """The answer in pieces; last of all, and only if it is whole, its citations.

        An answer that was cut off, by an error or since its reader is gone, is not remembered.

        Raises:
            ManagedSyncError: What the user may read could not be decided, so nothing is answered.
            ChatModelError: The model did not answer.
        """
        # Recalled anew for each question: a turn from a document that was taken away is gone.
        recalled = await self._memory.arecall() if self._answer else []
        documents = await self._retriever.ainvoke(await self._search_words(question, recalled))
        passages = [(document.page_content, document.metadata) for document in documents]
        pieces = []
        async for piece in self._pieces(question, passages, recalled):
            pieces.append(piece)
            yield piece
        answer = "".join(pieces)
        # Passages are used once and not kept; the memory knows only which objects they came from.
        self._memory.remember(question, answer, object_ids(passages), recalled)
        yield citations(answer, passages)

    async def history(self) -> list[Turn]:
        """Returns the remembered turns that the user may read now.

        Raises:
            ManagedSyncError: What the user may read could not be decided.
        """
        return await self._memory.arecall()

    async def _search_words(self, question: str, recalled: list[Turn]) -> str:
        if self._standalone is None or not recalled:
            return question
        with model_errors():
            return await self._standalone.ainvoke(
                {"history": as_messages(recalled), "question": question}
            )

    async def _pieces(
        self, question: str, passages: Sequence[Passage], recalled: list[Turn]
    ) -> AsyncIterator[str]:
        if self._answer is None:
            # In a thread, since computing it would hold up everybody else's answers.
            answer = await asyncio.to_thread(extractive_answer, question, passages)
            for line in answer.splitlines(keepends=True):
                yield line
            return
        variables = {
            "passages": numbered(passages),
            "history": as_messages(recalled),
            "question": question,
        }
        with model_errors():
            async for piece in self._answer.astream(variables):
                yield piece
