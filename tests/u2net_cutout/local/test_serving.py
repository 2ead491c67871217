from multiprocessing import get_context
from pathlib import Path

from u2net_cutout import Refused
from u2net_cutout.local.serving import serve

PNG = {"format": "png"}


def test_it_answers_until_its_connection_ends_also_after_a_fault(
    archive: Path, photo_files: list[Path]
) -> None:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, archive, 1))
    process.start()
    theirs.close()
    opened = ours.recv()
    answers = []
    # Options that are none are a mistake of the caller's: no picture can bring it about.
    for request in ((b"photo", 5, None), (photo_files[1].read_bytes(), PNG, None)):
        ours.send(request)
        answers.append(ours.recv())
    ours.close()
    process.join(30)

    assert opened is None
    assert isinstance(answers[0], Refused)
    assert (answers[0].status, answers[0].code) == (500, "internal_error")
    assert "TypeError" in str(answers[0])
    assert answers[1].content_type == "image/png"
    assert process.exitcode == 0
