"""`make bench-gpu`: pictures a second on a GPU."""
