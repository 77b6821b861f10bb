"""Code that the examples share: the sample company, memory, answers, the terminal, tokens."""
