"""A LangChain chatbot whose user comes from the login, with memory and citations.

Nothing in a question, a passage or an answer can change for whom it retrieves.
"""

from __future__ import annotations

from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import StrOutputParser

from examples.shared.answers import extractive_answer, numbered, object_ids, with_sources
from examples.shared.chat_model import model_errors
from examples.shared.langchain_prompts import ANSWER, STANDALONE, as_messages
from examples.shared.memory import Memory, Turn
from managed_sync import AccessChecker
from managed_sync.langchain import PermissionAwareRetriever

__all__ = ["Conversation"]


class Conversation:
    """One login: one user, a retriever that is bound to this user, a memory of its own.

    Args:
        retriever: What to search with; it is bound to the user here.
        checker: Decides what of the memory the user may still read.
        user: Who is logged in, as the session says.
        model: Any chat model of LangChain's; without one, the answer is extractive.
    """

    def __init__(
        self,
        retriever: PermissionAwareRetriever,
        checker: AccessChecker,
        user: str,
        model: BaseChatModel | None = None,
    ) -> None:
        # From here on, whatever is asked can only be answered from what this user may read.
        self._retriever = retriever.for_subject(user)
        self._memory = Memory(checker, user)
        self._answer = ANSWER | model | StrOutputParser() if model else None
        self._standalone = STANDALONE | model | StrOutputParser() if model else None

    def ask(self, question: str) -> str:
        """The answer and its sources.

        Raises:
            ManagedSyncError: What the user may read could not be decided, so nothing is answered.
            ChatModelError: The model did not answer.
        """
        # Recalled anew for each question: a turn from a document that was taken away is gone.
        recalled = self._memory.recall() if self._answer else []
        documents = self._retriever.invoke(self._search_words(question, recalled))
        passages = [(document.page_content, document.metadata) for document in documents]
        if self._answer is None:
            answer = extractive_answer(question, passages)
        else:
            with model_errors():
                answer = self._answer.invoke(
                    {
                        "passages": numbered(passages),
                        "history": as_messages(recalled),
                        "question": question,
                    }
                )
        # Passages are used once and not kept; the memory knows only which objects they came from.
        self._memory.remember(question, answer, object_ids(passages), recalled)
        return with_sources(answer, passages)

    def history(self) -> list[Turn]:
        """Returns the remembered turns that the user may read now.

        Raises:
            ManagedSyncError: What the user may read could not be decided.
        """
        return self._memory.recall()

    def _search_words(self, question: str, recalled: list[Turn]) -> str:
        if self._standalone is None or not recalled:
            return question
        with model_errors():
            return self._standalone.invoke({"history": as_messages(recalled), "question": question})
