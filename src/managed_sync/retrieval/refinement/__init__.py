"""Steps after the checks: MMR, reranking, and joining passages with their neighbors."""
