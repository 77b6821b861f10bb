"""A chat engine with LlamaIndex."""
