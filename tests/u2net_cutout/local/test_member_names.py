import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from u2net_cutout.local.member_names import MANIFEST, check_names


def test_what_an_archive_of_ours_has_is_taken() -> None:
    check_names([MANIFEST, "u2net.bin", "u2net-int8+x.xml", "u2net_cutout/network/u2net.py"])


@pytest.mark.parametrize(
    "name",
    [
        *("../x", "/x", "a/../x", ".x", "a/b", "MAR-INF/x", "u2net_cutout/x.so", "u2net_cutout/"),
        *("u2net_cutout/.x.py", "u2net_cutout/../x.py", "", "C:\\x", "x y", "u2net.bin\n"),
    ],
)
def test_what_could_lie_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="strange names"):
        check_names(["u2net.bin", name])


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"strange names: a\.bin$"):
        check_names(["a.bin", "b.bin", "a.bin"])


def test_a_bare_python_can_ask() -> None:
    code = "import u2net_cutout.local.member_names, scripts.archive.record"
    subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({str(ROOT)!r}); {code}"],
        env=dict(os.environ),
        check=True,
    )
