from pathlib import Path

from scripts.measure.kit.host import describe_machine, peer_versions, served_facts

STATUS = {
    "versions": [
        {
            "workers": [{"id": "9000"}, {"id": "9001"}],
            "description": {
                "precision": "fp32",
                "runtime": "torch 2",
                "weights_source": "somewhere: else",
            },
        }
    ]
}


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
