"""The HTTP side: middleware, the guard of the routes, problem details, limits and metrics."""
