"""A client that searches through the server, as an assistant would.

python -m examples.mcp_server.ask URL TOKEN_FILE "What is the Heron H3?"
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client


async def ask(url: str, token: str, question: str) -> None:
    """Prints the passages that answer a question."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        result = await client.call_tool("search_documents", {"query": question})
    for passage in (result.structured_content or {}).get("passages", []):
        print(f"[{passage['number']}] {passage['place']}  {passage['url']}\n{passage['text']}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("token_file", type=Path)
    parser.add_argument("question")
    given = parser.parse_args()
    asyncio.run(ask(given.url, given.token_file.read_text().strip(), given.question))
