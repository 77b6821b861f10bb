"""A server that lets assistants search what their user may read, and nothing else.

    python -m examples.mcp_server
    python -m examples.mcp_server --port 8000

Tokens for the users of the sample company are put into files that only you can read.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from examples.mcp_server.server import create_app
from examples.shared.company import open_company, update_index
from examples.shared.serving import address_of, listen, serve
from examples.shared.terminal import argument_parser, exit_status
from examples.shared.tokens import Issuer
from examples.vector_stores.stores import qdrant
from managed_sync import AccessChecker
from managed_sync.langchain import LangChainTarget, PermissionAwareRetriever

# Stands for your identity provider's address.
ISSUER = "https://login.harbor.example"


def token_file(folder: str, user: str) -> Path:
    """Returns the path of a user's token, which is inside the folder for any name."""
    return Path(folder) / quote(user, safe="@")


def main() -> None:
    """Fills an index from the sample company, and serves the search."""
    parser = argument_parser(__doc__)
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one")
    options = parser.parse_args()
    with (
        listen(options.port) as listener,
        open_company(options.user) as company,
        qdrant() as store,
        # Only its owner can look into such a folder.
        TemporaryDirectory(prefix="tokens-") as folder,
    ):
        update_index(company.client, LangChainTarget(store))
        retriever = PermissionAwareRetriever(
            vectorstore=store, checker=AccessChecker(company.client)
        )
        address = f"{address_of(listener)}/mcp"
        issuer = Issuer(ISSUER, audience=address)
        for user in company.users:
            token_file(folder, user).write_text(issuer.issue(user), encoding="utf-8")
        token = token_file(folder, company.users[0])
        print(
            f"Try: python -m examples.mcp_server.ask {address} {token} "
            '"What did the board decide?"  (Ctrl-C ends the server)',
            flush=True,
        )
        serve(create_app(retriever, issuer.verifier(), issuer=ISSUER, address=address), listener)


if __name__ == "__main__":
    sys.exit(exit_status(main))
