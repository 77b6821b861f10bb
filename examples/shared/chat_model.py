"""The chat model that the user brings, and its errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from managed_sync import ManagedSyncError
from managed_sync.errors import ConfigurationError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["LANGCHAIN_MODEL_HELP", "ChatModelError", "langchain_model", "model_errors"]

LANGCHAIN_MODEL_HELP = (
    "a chat model of your own, such as openai:gpt-5-mini or ollama:llama3.2; without one, answers "
    "are made of the passages' own sentences"
)


class ChatModelError(Exception):
    """The chat model could not be made or did not answer.

    Providers' own messages may quote the key, so this one only says of which kind they were.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"The chat model failed ({type(error).__name__}); check its name, its key and quota."
        )


@contextmanager
def model_errors() -> Iterator[None]:
    """Turns whatever a provider raises into ``ChatModelError``, and leaves our own as they are."""
    try:
        yield
    except ManagedSyncError:
        raise
    except Exception as error:  # every provider has errors of its own
        raise ChatModelError(error) from error


def langchain_model(name: str | None) -> BaseChatModel | None:
    """A chat model of any provider that LangChain knows, local ones among them.

    Raises:
        ConfigurationError: A package is missing.
        ChatModelError: The name or the key will not do.
    """
    if name is None:
        return None
    # Imported here, since LlamaIndex's example does without LangChain.
    from langchain.chat_models import init_chat_model  # noqa: PLC0415

    try:
        with model_errors():
            return init_chat_model(name)
    except ChatModelError as error:
        if isinstance(error.__cause__, ImportError):
            raise ConfigurationError(
                f"--model {name} needs its provider's package: {error.__cause__}"
            ) from None
        raise
