from multiprocessing import Pipe

from u2net_cutout import Refused


def test_a_refusal_passes_between_processes() -> None:
    told = Refused("a\tb", status=415, code="invalid_file_type")

    sender, receiver = Pipe()
    sender.send(told)
    again = receiver.recv()

    assert (type(again), str(again)) == (Refused, r"a\tb")
    assert (again.status, again.code) == (415, "invalid_file_type")
