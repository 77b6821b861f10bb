"""A LlamaIndex chat engine whose user comes from the login, with memory and citations.

Nothing in a question, a passage or an answer can change for whom it retrieves.
"""

from __future__ import annotations

from llama_index.core.chat_engine import CondensePlusContextChatEngine
from llama_index.core.llms import LLM, ChatMessage, MessageRole
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle, TextNode

from examples.shared.answers import (
    NOTHING_FOUND,
    SYSTEM_PROMPT,
    extractive_answer,
    numbered,
    object_ids,
    with_sources,
)
from examples.shared.chat_model import model_errors
from examples.shared.memory import Memory, Turn
from managed_sync import AccessChecker
from managed_sync.llama_index import PermissionAwareRetriever

__all__ = ["Conversation"]

REFINE_PROMPT = (
    f"{SYSTEM_PROMPT}\n\n{{context_msg}}\n\nImprove this answer where the passages above help, and "
    "keep its citations: {existing_answer}"
)


class Numbered(BaseNodePostprocessor):
    """Gives each node its number and its place, so that the model can cite it."""

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return [
            NodeWithScore(
                node=TextNode(
                    text=numbered([(scored.node.get_content(), scored.node.metadata)], number),
                    metadata=scored.node.metadata,
                    # The place is in the text already; ids and addresses are nothing for a model.
                    excluded_llm_metadata_keys=list(scored.node.metadata),
                ),
                score=scored.score,
            )
            for number, scored in enumerate(nodes, start=1)
        ]


class Conversation:
    """One login: one user, a retriever that is bound to this user, a memory of its own.

    Args:
        retriever: What to search with; it is bound to the user here.
        checker: Decides what of the memory the user may still read.
        user: Who is logged in, as the session says.
        model: Any chat model of LlamaIndex's; without one, the answer is extractive.
    """

    def __init__(
        self,
        retriever: PermissionAwareRetriever,
        checker: AccessChecker,
        user: str,
        model: LLM | None = None,
    ) -> None:
        # From here on, whatever is asked can only be answered from what this user may read.
        self._retriever = retriever.for_subject(user)
        self._memory = Memory(checker, user)
        self._model = model

    def ask(self, question: str) -> str:
        """The answer and its sources.

        Raises:
            ManagedSyncError: What the user may read could not be decided, so nothing is answered.
            ChatModelError: The model did not answer.
        """
        # Recalled anew for each question: a turn from a document that was taken away is gone.
        recalled = self._memory.recall() if self._model else []
        if self._model is None:
            nodes = self._retriever.retrieve(question)
            answer = extractive_answer(question, _passages(nodes))
        else:
            with model_errors():
                response = self._engine(self._model, recalled).chat(question)
            nodes = response.source_nodes
            # Without passages the engine does not ask the model, and says "Empty Response".
            answer = response.response if nodes else NOTHING_FOUND
        passages = _passages(nodes)
        # Passages are used once and not kept; the memory knows only which objects they came from.
        self._memory.remember(question, answer, object_ids(passages), recalled)
        return with_sources(answer, passages)

    def history(self) -> list[Turn]:
        """Returns the remembered turns that the user may read now.

        Raises:
            ManagedSyncError: What the user may read could not be decided.
        """
        return self._memory.recall()

    def _engine(self, model: LLM, recalled: list[Turn]) -> CondensePlusContextChatEngine:
        """An engine for one question: its own memory would keep answers without checking them."""
        return CondensePlusContextChatEngine.from_defaults(
            retriever=self._retriever,
            llm=model,
            memory=ChatMemoryBuffer.from_defaults(_as_messages(recalled), llm=model),
            node_postprocessors=[Numbered()],
            context_prompt=f"{SYSTEM_PROMPT}\n\n{{context_str}}",
            context_refine_prompt=REFINE_PROMPT,
        )


def _passages(nodes: list[NodeWithScore]) -> list[tuple[str, dict[str, object]]]:
    return [(scored.node.get_content(MetadataMode.NONE), scored.node.metadata) for scored in nodes]


def _as_messages(turns: list[Turn]) -> list[ChatMessage]:
    return [
        message
        for turn in turns
        for message in (
            ChatMessage(role=MessageRole.USER, content=turn["question"]),
            ChatMessage(role=MessageRole.ASSISTANT, content=turn["answer"]),
        )
    ]
