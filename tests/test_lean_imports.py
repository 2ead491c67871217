import subprocess
import sys

from tests.conftest import ROOT


def test_a_worker_imports_no_compiler_that_it_does_not_use() -> None:
    program = (
        "import sys, u2net_handler;"
        "print(*[name in sys.modules for name in ('torch._dynamo', 'torchvision', 'torch')])"
    )

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={"PYTHONPATH": f"{ROOT / 'handler'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split()[-3:] == ["False", "False", "True"]
