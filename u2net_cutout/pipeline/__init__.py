"""One request, from its row to its response. Knows no server."""
