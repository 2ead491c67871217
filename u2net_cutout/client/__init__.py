"""A server's client: the Python API. Never imports torch."""
