"""What all commands share. Standard library only, but for ``http.py``."""
