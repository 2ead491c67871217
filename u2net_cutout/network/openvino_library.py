"""OpenVINO without its telemetry. The only module that imports it.

By default ``import openvino`` sends an event through the package ``openvino_telemetry``: it looks
up a host, writes a client id to ``~/intel``, and fails for a user without a home directory. Where
that package can't be imported, OpenVINO takes its own stub
(``openvino/tools/ovc/telemetry_utils.py``).
"""

from u2net_cutout.network.import_guard import skipped_imports

with skipped_imports("openvino_telemetry"):
    import openvino

__all__ = ["openvino"]
