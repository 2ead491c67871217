"""The commands behind the Makefile: ``python -m scripts <command>``."""

import os

# onnxruntime writes a device id into the home directory when it is imported, and can send events to
# its maker. Processes that a command starts inherit this.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
