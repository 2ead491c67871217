"""The nginx in front of the server."""
