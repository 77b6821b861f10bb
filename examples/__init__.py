"""Applications to copy from; run one with ``python -m examples.<folder>``."""
