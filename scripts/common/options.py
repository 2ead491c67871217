"""The options of all commands: each is a flag, or a variable as ``make`` takes it, or its default.

``make serve PORT=9000`` puts PORT into the environment of what it runs, and so does a shell that
exports it. A flag wins over its variable; an empty variable counts as not set.
"""

import os
import shlex
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.common.errors import CommandError

AUTO = "auto"
LOWEST_PORT, HIGHEST_PORT = 2034, 64600
OFF = frozenset({"0", "no", "false", "off"})


def positive(text: str) -> int:
    """Read a whole number above 0."""
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(text)


def not_negative(text: str) -> int:
    """Read a whole number, 0 included."""
    return 0 if text == "0" else positive(text)


def duration(text: str) -> float:
    """Read a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def server_port(text: str) -> int:
    """Read the port of an Inference API: its other ports, at fixed distances, must be valid too."""
    number = positive(text)
    if not LOWEST_PORT <= number <= HIGHEST_PORT:
        raise ArgumentTypeError(f"choose {LOWEST_PORT} to {HIGHEST_PORT}")
    return number


def existing_file(text: str) -> Path:
    """Read the path of a file that must be there."""
    path = Path(text)
    if not path.is_file():
        raise ArgumentTypeError("there is no such file")
    return path


def words(text: str) -> tuple[str, ...]:
    """Read a list whose items are separated by spaces or commas."""
    return tuple(text.replace(",", " ").split())


@dataclass(frozen=True)
class Option:
    """One option, as a flag and as a variable."""

    help: str
    convert: Callable[[str], Any] = str
    default: Any = None
    choices: tuple[str, ...] = ()
    switch: bool = False
    """It is on or off, and its flag takes no value."""

    def read(self, variable: str, text: str) -> Any:
        """Return the value that a variable's text stands for.

        Raises:
            CommandError: it stands for none.
        """
        if self.switch:
            return text.lower() not in OFF
        try:
            value = self.convert(text)
        except (ArgumentTypeError, ValueError) as error:
            raise CommandError(f"{variable}={text}: {error}") from error
        if self.choices and value not in self.choices:
            raise CommandError(f"{variable}={text}: choose {', '.join(self.choices)}")
        return value


# By group, as `make help` shows them.
OPTIONS: Mapping[str, Mapping[str, Option]] = {
    "Server": {
        "port": Option("inference port; the others are at fixed distances", server_port, 8080),
        "build": Option("folder of all generated files", Path, Path("build")),
        "model": Option("u2net, u2netp, u2net_human_seg, isnet or isnet_anime", default="u2net"),
        "version": Option("version of the model, such as 1.1"),
        "profile": Option(
            "throughput: a worker for each core; latency: one worker on all cores",
            default="throughput",
            choices=("throughput", "latency"),
        ),
        "workers": Option("number of workers (default: as the profile plans)", positive),
        "batch-size": Option("requests in one batch (default: the archive's)", positive),
        "batch-delay": Option("milliseconds that a batch waits to fill", not_negative),
        "now": Option("do not wait for accepted requests", switch=True),
        "expose": Option("APIs that other machines may reach, such as inference", words, ()),
        "locked": Option("serve only this model; nothing can be registered", switch=True),
        "kserve": Option("speak KServe's protocol, without tokens", choices=("v1", "v2")),
        "foreground": Option("stay until the server ends; drain it on SIGTERM", switch=True),
        "wheels": Option("folder of the archive's requirements (default: BUILD/wheels)", Path),
        "json": Option("print JSON, for programs", switch=True),
        "kind": Option(
            "API of the token", default="inference", choices=("inference", "management")
        ),
    },
    "Archive": {
        "precision": Option("number format", choices=(AUTO, "fp32", "bf16", "fp16", "int8")),
        "runtime": Option("library of the network", choices=(AUTO, "openvino", "ncnn", "torch")),
        "checkpoint": Option("weights of your own, .pth or .onnx", existing_file),
        "handler": Option("file of a handler class of your own", existing_file),
        "record": Option("published record to verify against", Path),
        "pip-args": Option("more arguments for pip, such as an index", shlex.split, ()),
    },
    "Cutouts": {
        "image": Option("a picture, or a folder of them", Path),
        "output": Option("file or folder of the cutouts (default: cutout.png, cutouts)", Path),
        "options": Option('options of u2net-cutout, as in OPTIONS="--crop"', shlex.split, ()),
    },
    "Gateway": {
        "listen": Option("port, or address:port, of the gateway"),
        "plaintext": Option("listen beyond loopback without TLS", switch=True),
        "machines": Option("addresses of the machines behind it", words, ()),
        "allow": Option("addresses of gateways that need no key", words, ()),
        "certificate": Option("file of the certificate, for TLS", Path),
        "private-key": Option("file of its key, for TLS", Path),
        "rate": Option("requests a minute of a key", positive),
        "origin": Option("origin whose pages may send requests"),
        "timeout": Option("seconds for a response", positive),
        "keys": Option("file of keys that is maintained elsewhere", Path),
        "name": Option("client of the key", default="default"),
    },
    "Measurements": {
        "quick": Option("measure only what the targets need", switch=True),
        "pictures": Option("folder of photos to use instead", Path),
        "lock": Option("file that is locked while a server is measured", Path),
        "minutes": Option("length of a soak", duration),
        "hours": Option("length of a soak", duration),
        "publish": Option("write docs/soak.png as well", switch=True),
        "duration": Option("seconds of killing workers", duration, 120.0),
        "picture": Option("picture to send", Path),
        "inputs": Option("hostile files for the decoder", positive, 100_000),
        "requests": Option("hostile requests for the server", positive, 5000),
        "seed": Option("number that selects the random inputs, or faults", not_negative, 0),
        "seconds": Option("length of fuzzing", positive, 300),
        "modules": Option(
            "modules to put faults into, such as u2net_cutout/imaging/*.py", words, ()
        ),
        "sample": Option("number of faults to try", positive, 200),
        "fresh": Option("follow the documents in an environment of their own", switch=True),
    },
}
_ALL = {name: option for group in OPTIONS.values() for name, option in group.items()}


def variable_of(name: str) -> str:
    """Return the variable that sets an option: ``batch-size`` is BATCH_SIZE."""
    return name.replace("-", "_").upper()


def without_options(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the variables of options and of make.

    A command that runs another one starts it with these, so that only what it says counts.
    """
    outer = {"MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL", "MAKEFILES", "GNUMAKEFLAGS"}
    outer |= {variable_of(name) for name in _ALL} - {"PIP_ARGS"}
    return {name: value for name, value in environment.items() if name not in outer}


class OptionParser(ArgumentParser):
    """A parser of one command's line, which knows the options of all of them."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(prog=f"python -m scripts {command}", description=description)

    def take(self, *names: str, **defaults: Any) -> "OptionParser":
        """Let the command take options, by their names; `defaults` replaces those of the table.

        Raises:
            CommandError: a variable has a value that its option can't take.
        """
        for name in (*names, *(name.replace("_", "-") for name in defaults)):
            option, variable = _ALL[name], variable_of(name)
            text = os.environ.get(variable, "")
            default = defaults.get(name.replace("-", "_"), option.default)
            if text:
                default = option.read(variable, text)
            if option.switch:
                self.add_argument(
                    f"--{name}", action="store_true", default=bool(default), help=option.help
                )
                continue
            self.add_argument(
                f"--{name}",
                type=option.convert,
                default=default,
                choices=option.choices or None,
                help=f"{option.help} [{variable}]",
            )
        return self


def parse(command: str, description: str, line: Sequence[str], *names: str, **defaults: Any) -> Any:
    """Parse the line of a command that takes nothing but options."""
    return OptionParser(command, description).take(*names, **defaults).parse_args(line)
