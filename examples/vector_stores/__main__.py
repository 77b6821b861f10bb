"""The LangChain chatbot on the vector store of your choice.

python -m examples.vector_stores                            # Qdrant
python -m examples.vector_stores --store chroma
python -m examples.vector_stores --store postgresql://postgres@localhost/postgres
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager

from langchain_core.vectorstores import VectorStore

from examples.langchain_chatbot.chatbot import Conversation
from examples.shared.chat_model import LANGCHAIN_MODEL_HELP, langchain_model
from examples.shared.company import open_company, update_index
from examples.shared.terminal import argument_parser, exit_status, run
from examples.vector_stores.stores import chroma, pgvector, qdrant
from managed_sync import AccessChecker
from managed_sync.errors import ConfigurationError
from managed_sync.langchain import LangChainTarget, PermissionAwareRetriever


def store_named(name: str) -> AbstractContextManager[VectorStore]:
    """Qdrant, Chroma, or PostgreSQL at an address.

    Raises:
        ConfigurationError: It is none of them.
    """
    if name.startswith(("postgresql://", "postgres://")):
        return pgvector(name)
    if name not in {"qdrant", "chroma"}:
        raise ConfigurationError("--store is qdrant, chroma, or an address: postgresql://...")
    return qdrant() if name == "qdrant" else chroma()


def main() -> None:
    """Fills the chosen store from the sample company, and serves the chat."""
    parser = argument_parser(__doc__, LANGCHAIN_MODEL_HELP)
    parser.add_argument("--once", metavar="QUESTION", help="answer one question, and end")
    parser.add_argument("--store", default="qdrant", help="qdrant, chroma, or postgresql://...")
    options = parser.parse_args()
    model = langchain_model(options.model)
    with open_company(options.user) as company, store_named(options.store) as store:
        update_index(company.client, LangChainTarget(store))
        checker = AccessChecker(company.client)
        retriever = PermissionAwareRetriever(vectorstore=store, checker=checker)
        run(
            lambda user: Conversation(retriever, checker, user, model),
            company.users,
            options.once,
        )


if __name__ == "__main__":
    sys.exit(exit_status(main))
