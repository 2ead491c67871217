from pathlib import Path

from bench_machine import describe_machine, peer_versions, served_facts

STATUS = """\
TorchServe, process 1, http://127.0.0.1:8080
u2net 1.0 (default): 0 waiting
  worker 9000: READY, process 2
  worker 9001: READY, process 3
  precision: fp32
  runtime: torch 2
  weights_source: somewhere: else
"""


def test_the_machine_is_named() -> None:
    facts = describe_machine()

    assert facts["CPU"]
    assert int(facts["cores that may be used"]) > 0
    assert facts["torch"]


def test_the_peers_versions_are_those_that_are_pinned(tmp_path: Path) -> None:
    pins = tmp_path / "peers.txt"
    pins.write_text("# rembg==0\nrembg==2.0\nidna==3\nlitserve==0.2\n")

    assert peer_versions(pins) == {"rembg": "2.0", "litserve": "0.2"}


def test_a_status_is_read_for_how_a_model_runs() -> None:
    assert served_facts(STATUS) == {"workers": "2", "precision": "fp32", "runtime": "torch 2"}
