"""A chatbot with LangChain."""
