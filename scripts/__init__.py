"""The commands behind the Makefile: ``python -m scripts <command>``."""
