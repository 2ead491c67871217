"""`make soak` and `make overload`: a server under load for hours."""
