"""Searches for a retrieval plan: of a LangChain vector store, or of another retriever."""
