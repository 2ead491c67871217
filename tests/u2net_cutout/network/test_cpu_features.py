from pathlib import Path

import pytest

from u2net_cutout.network.cpu_features import cpu_flags, cpu_has, cpu_name
from u2net_cutout.network.precision import Precision


def cpuinfo(folder: Path, flags: str) -> Path:
    file = folder / "cpuinfo"
    file.write_text(f"processor\t: 0\nflags\t\t: fpu {flags} sse\nbugs\t\t: avx_vnni\n")
    return file


@pytest.fixture(autouse=True)
def on_x86(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


@pytest.mark.parametrize(
    ("flags", "precision", "has"),
    [
        ("avx512_vnni", Precision.INT8, True),
        ("avx_vnni", Precision.INT8, True),
        ("amx_int8", Precision.INT8, True),
        ("avx2 avx512f", Precision.INT8, False),
        ("avx512_vnni_imagined", Precision.INT8, False),
        ("avx512_bf16", Precision.BF16, True),
        ("avx512_vnni", Precision.BF16, False),
        ("", Precision.FP32, True),
        ("avx512_fp16", Precision.FP16, False),
    ],
)
def test_the_cpu_has_what_its_flags_say(
    tmp_path: Path, flags: str, precision: Precision, has: bool
) -> None:
    assert cpu_has(precision, cpuinfo(tmp_path, flags)) == has


def test_the_cpu_is_known_by_its_name_and_flags(tmp_path: Path) -> None:
    file = cpuinfo(tmp_path, "avx2")
    file.write_text(f"model name\t: A CPU\n{file.read_text()}")

    assert cpu_name(file) == "A CPU fpu avx2 sse"
    assert cpu_name(tmp_path / "missing").startswith("x86_64")


def test_the_flags_are_those_of_the_cpu_alone(tmp_path: Path) -> None:
    assert cpu_flags(cpuinfo(tmp_path, "avx2")) == {"fpu", "avx2", "sse"}
    assert cpu_flags(tmp_path / "missing") == frozenset()


def test_a_system_that_tells_nothing_has_float32_alone(tmp_path: Path) -> None:
    assert cpu_has(Precision.FP32, tmp_path / "missing")
    assert not cpu_has(Precision.INT8, tmp_path / "missing")


def test_other_architectures_are_taken_to_have_float32_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")

    assert not cpu_has(Precision.INT8, cpuinfo(tmp_path, "avx512_vnni"))
