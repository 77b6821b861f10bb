"""An agent with LangGraph."""
