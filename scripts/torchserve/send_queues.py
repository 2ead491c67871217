"""What a server has written and its clients have not yet received, as the kernel has it."""

from collections.abc import Collection
from pathlib import Path

LISTENING = "0A"


def unsent_bytes(pid: int, ports: Collection[int]) -> int:
    """Return how many bytes wait in the send queues of a process's connections on its own `ports`.

    Those that were sent count until the other side confirms them. A process that has ended has
    none. Source: ``proc_net_tcp.rst`` of the Linux kernel's documentation.
    """
    return sum(_queued(Path(f"/proc/{pid}/net/{table}"), ports) for table in ("tcp", "tcp6"))


def _queued(table: Path, ports: Collection[int]) -> int:
    try:
        rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
    except OSError:
        return 0
    return sum(
        int(queues.partition(":")[0], 16)
        for _, local, _, state, queues, *_ in rows
        if state != LISTENING and int(local.rpartition(":")[2], 16) in ports
    )
