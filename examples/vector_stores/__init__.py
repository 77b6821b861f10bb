"""The LangChain chatbot on three vector stores."""
