"""The HTTP routes: the specification's operations, without their implementation."""
