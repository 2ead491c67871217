"""One TorchServe, seen from outside: its settings, process and APIs."""
