"""A LangGraph agent that answers everybody from what they may read, and from nothing else.

python -m examples.langgraph_agent
python -m examples.langgraph_agent --user sam@harbor.example
python -m examples.langgraph_agent --model openai:gpt-5-mini      # with a key of your own
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from langgraph.checkpoint.memory import InMemorySaver

from examples.langgraph_agent.agent import Agent
from examples.langgraph_agent.extractive_model import ExtractiveModel
from examples.shared.chat_model import LANGCHAIN_MODEL_HELP, langchain_model
from examples.shared.company import open_company, update_index
from examples.shared.memory import Turn
from examples.shared.terminal import argument_parser, exit_status, run
from examples.vector_stores.stores import qdrant
from managed_sync import AccessChecker
from managed_sync.langchain import LangChainTarget, PermissionAwareRetriever


@dataclass(frozen=True)
class Session:
    """A login in the terminal; who logs in again goes on with the same thread."""

    agent: Agent
    user: str

    def ask(self, question: str) -> str:
        """The answer and its sources."""
        return self.agent.ask(self.user, "terminal", question)

    def history(self) -> list[Turn]:
        """Returns the remembered turns of the thread."""
        return self.agent.history(self.user, "terminal")


def main() -> None:
    """Fills an index from the sample company, and serves the agent."""
    parser = argument_parser(__doc__, LANGCHAIN_MODEL_HELP)
    parser.add_argument("--once", metavar="QUESTION", help="answer one question, and end")
    options = parser.parse_args()
    model = langchain_model(options.model) or ExtractiveModel()
    with open_company(options.user) as company, qdrant() as store:
        update_index(company.client, LangChainTarget(store))
        checker = AccessChecker(company.client)
        retriever = PermissionAwareRetriever(vectorstore=store, checker=checker)
        agent = Agent(retriever, checker, model, InMemorySaver())
        run(lambda user: Session(agent, user), company.users, options.once)


if __name__ == "__main__":
    sys.exit(exit_status(main))
