"""The vector stores that people use with LlamaIndex."""
