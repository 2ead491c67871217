"""The error that ends a command."""


class CommandError(Exception):
    """A command can't be carried out; the message says why and what to do."""
