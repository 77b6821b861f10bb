"""A chat service that answers everybody from what they may read, and from nothing else.

    python -m examples.fastapi_service
    python -m examples.fastapi_service --port 8000 --model openai:gpt-5-mini

Everybody of the sample company has the same password, made anew at each start.
"""

from __future__ import annotations

import secrets
import sys

from examples.fastapi_service.app import create_app
from examples.fastapi_service.conversation import Conversation
from examples.shared.chat_model import LANGCHAIN_MODEL_HELP, langchain_model
from examples.shared.company import open_company, update_index
from examples.shared.serving import address_of, listen, serve
from examples.shared.terminal import argument_parser, exit_status
from examples.shared.tokens import Issuer
from examples.vector_stores.stores import qdrant
from managed_sync import AccessChecker
from managed_sync.langchain import LangChainTarget, PermissionAwareRetriever


def main() -> None:
    """Fills an index from the sample company, and serves the chat."""
    parser = argument_parser(__doc__, LANGCHAIN_MODEL_HELP)
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one")
    options = parser.parse_args()
    model = langchain_model(options.model)
    password = secrets.token_urlsafe(9)
    with (
        listen(options.port) as listener,
        open_company(options.user) as company,
        qdrant() as store,
    ):
        update_index(company.client, LangChainTarget(store))
        checker = AccessChecker(company.client)
        retriever = PermissionAwareRetriever(vectorstore=store, checker=checker)

        def is_right(user: str, entered: str) -> bool:
            right = secrets.compare_digest(entered.encode(), password.encode())
            return right and user in company.users

        address = address_of(listener)
        app = create_app(
            lambda user: Conversation(retriever, checker, user, model),
            Issuer(address, audience=address),
            is_right,
        )
        print(
            f"Open {address} and log in as {company.users[0]} with the password {password}; "
            "Ctrl-C ends it.",
            flush=True,
        )
        serve(app, listener)


if __name__ == "__main__":
    sys.exit(exit_status(main))
