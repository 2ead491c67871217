"""Imported before TorchServe's base class, keeps out of a worker what that would import in vain.

Where OpenVINO is installed, the base class imports its backend of torch.compile, and with it the
half of torch that nothing here uses: two seconds and 200 MB in each worker.
"""

import sys
from typing import Any

UNUSED = ("openvino.torch",)

modules: dict[str, Any] = sys.modules
for name in UNUSED:
    # To Python, a module that is None is one that can't be imported.
    modules.setdefault(name, None)
