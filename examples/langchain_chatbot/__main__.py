"""A LangChain chatbot that answers everybody from what they may read, and from nothing else.

python -m examples.langchain_chatbot
python -m examples.langchain_chatbot --user sam@harbor.example --once "What is the Heron H3?"
python -m examples.langchain_chatbot --model openai:gpt-5-mini      # with a key of your own
"""

from __future__ import annotations

import sys

from examples.langchain_chatbot.chatbot import Conversation
from examples.shared.chat_model import LANGCHAIN_MODEL_HELP, langchain_model
from examples.shared.company import open_company, update_index
from examples.shared.terminal import argument_parser, exit_status, run
from examples.vector_stores.stores import qdrant
from managed_sync import AccessChecker
from managed_sync.langchain import LangChainTarget, PermissionAwareRetriever


def main() -> None:
    """Fills an index from the sample company, and serves the chat."""
    parser = argument_parser(__doc__, LANGCHAIN_MODEL_HELP)
    parser.add_argument("--once", metavar="QUESTION", help="answer one question, and end")
    options = parser.parse_args()
    model = langchain_model(options.model)
    with open_company(options.user) as company, qdrant() as store:
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
