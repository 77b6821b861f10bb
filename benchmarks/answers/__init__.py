"""Answer quality of the sample company's questions, by the parts of a retrieval."""
