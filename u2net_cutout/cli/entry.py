"""The entry point of the command u2net-cutout."""

import signal

from u2net_cutout.cli.interrupts import SIGNALS


def run() -> None:
    """Run the command; a signal during the imports ends it without a traceback."""
    for name in SIGNALS:
        if signal.getsignal(name) is not signal.SIG_IGN:
            signal.signal(name, signal.SIG_DFL)
    from u2net_cutout.cli.main import main

    main()
