"""Start, fill, watch, drain and stop a server."""
