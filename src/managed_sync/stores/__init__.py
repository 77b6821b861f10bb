"""What the vector stores offer, shared by both frameworks."""
