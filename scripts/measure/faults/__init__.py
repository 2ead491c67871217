"""`make kill-workers` and `make stop-under-load`."""
