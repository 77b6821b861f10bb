"""A LlamaIndex chat engine that answers everybody from what they may read, and nothing else.

python -m examples.llama_index_chat
python -m examples.llama_index_chat --user sam@harbor.example --once "What is the Heron H3?"
python -m examples.llama_index_chat --model gpt-5-mini      # with OPENAI_API_KEY of your own
"""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import closing
from importlib import import_module
from typing import cast

from llama_index.core import VectorStoreIndex
from llama_index.core.llms import LLM
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import QdrantClient

from examples.llama_index_chat.chat import Conversation
from examples.shared.chat_model import model_errors
from examples.shared.company import open_company, update_index
from examples.shared.terminal import argument_parser, exit_status, run
from managed_sync import AccessChecker
from managed_sync.errors import ConfigurationError
from managed_sync.llama_index import BundledEmbedding, LlamaIndexTarget, PermissionAwareRetriever

MODEL_HELP = (
    "a chat model of OpenAI, such as gpt-5-mini, or of the server at OPENAI_BASE_URL; without one, "
    "answers are made of the passages' own sentences"
)
CONTEXT_WINDOW = 32_000


def chat_model(name: str | None) -> LLM | None:
    """A chat model of OpenAI, or of any server of the same protocol, such as Ollama.

    Raises:
        ConfigurationError: A package is missing.
        ChatModelError: The name or the key will not do.
    """
    if name is None:
        return None
    try:
        model_class = import_module("llama_index.llms.openai_like").OpenAILike
    except ImportError as error:
        raise ConfigurationError(
            f"--model needs one more package ({error}): pip install llama-index-llms-openai-like"
        ) from None
    address = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1")
    with model_errors():
        model = model_class(
            model=name, api_base=address, is_chat_model=True, context_window=CONTEXT_WINDOW
        )
    return cast("LLM", model)


def main() -> None:
    """Fills an index from the sample company, and serves the chat."""
    parser = argument_parser(__doc__, MODEL_HELP)
    parser.add_argument("--once", metavar="QUESTION", help="answer one question, and end")
    options = parser.parse_args()
    # The store asks for payload indexes, which Qdrant's local mode does without.
    warnings.filterwarnings("ignore", message="Payload indexes have no effect")
    model = chat_model(options.model)
    with open_company(options.user) as company, closing(QdrantClient(":memory:")) as qdrant:
        index = VectorStoreIndex.from_vector_store(
            QdrantVectorStore("chunks", client=qdrant), embed_model=BundledEmbedding()
        )
        update_index(company.client, LlamaIndexTarget(index))
        checker = AccessChecker(company.client)
        retriever = PermissionAwareRetriever(index, checker=checker)
        run(
            lambda user: Conversation(retriever, checker, user, model),
            company.users,
            options.once,
        )


if __name__ == "__main__":
    sys.exit(exit_status(main))
