"""The gateway's commands: start and stop it, print its address and its keys."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.common.options import parse
from scripts.gateway.config import MOST_FILES, GatewayConfig, address_connections, open_files
from scripts.gateway.keys import DEFAULT_CLIENT, key_of
from scripts.gateway.nginx import STOP_TIMEOUT_S, GatewayProcess
from scripts.gateway.sides import PrivateSide, PublicSide, bind_address, checked_word
from scripts.torchserve.binding import HOST, is_loopback
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.process import TorchServeProcess

LISTEN = f"{HOST}:8000"
COMMON = ("port", "build", "model")
PUBLIC = ("machines", "certificate", "private-key", "plaintext")
PUBLIC_DEFAULTS = {
    "listen": LISTEN,
    "rate": PublicSide.rate,
    "origin": PublicSide.origin,
    "timeout": PublicSide.read_timeout_s,
}
# Below the build folder.
PUBLIC_FOLDER = "gateway"
MACHINE_FOLDER = "gateway-machine"


def gateway(line: Sequence[str]) -> None:
    """Start the public side, with this machine's private side or in front of others'.

    Raises:
        ServerError: it does not start.
    """
    arguments = parse(
        "gateway", "Start nginx in front of the server.", line, *COMMON, *PUBLIC, **PUBLIC_DEFAULTS
    )
    public, model = _public(arguments), _model(arguments)
    private = None
    if not public.machines:
        private = PrivateSide(_server(arguments), model, read_timeout_s=arguments.timeout)
        _warn_without_server(private.server)
    config = GatewayConfig(_build(arguments) / PUBLIC_FOLDER, model, public, private)
    key_of(config.keys, DEFAULT_CLIENT)
    _warn_of_few_files()
    GatewayProcess(config).start()
    (config.folder / "url").write_text(public.url, encoding="utf-8")
    print(f"the gateway runs at {public.url}, in front of {public.behind}")
    print(f"  POST pictures to {public.url}/v1.0/removebg")
    print("  with the header  X-Api-Key: $(make -s gateway-key)")


def gateway_run(line: Sequence[str]) -> None:
    """Run the public side in the foreground, as containers do.

    On SIGTERM it ends after the requests in progress.

    Raises:
        ServerError: it does not start, or ended by itself.
    """
    arguments = parse(
        "gateway-run",
        "Run the gateway in the foreground.",
        line,
        *COMMON,
        *PUBLIC,
        "keys",
        **PUBLIC_DEFAULTS,
    )
    public, model = _public(arguments), _model(arguments)
    private = PrivateSide(_server(arguments), model, read_timeout_s=arguments.timeout)
    folder = _build(arguments) / PUBLIC_FOLDER
    config = GatewayConfig(folder, model, public, private, console=True)
    if arguments.keys is not None:
        link_keys(config.keys, arguments.keys)
    _warn_of_few_files()
    nginx = GatewayProcess(config).start_in_foreground()
    try:
        print(f"the gateway starts at {public.url}", flush=True)
        status = nginx.wait()
    except (KeyboardInterrupt, SystemExit):
        nginx.send_signal(signal.SIGQUIT)
        try:
            nginx.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            nginx.terminate()
            nginx.wait()
        return
    raise ServerError(f"nginx exited with {status}: see its last lines")


def gateway_machine(line: Sequence[str]) -> None:
    """Start the private side alone, for gateways of other machines.

    Raises:
        ServerError: it does not start, or would let every machine in.
    """
    arguments = parse(
        "gateway-machine",
        "Let gateways of other machines in.",
        line,
        *COMMON,
        "allow",
        listen=LISTEN,
        timeout=PublicSide.read_timeout_s,
    )
    if not arguments.allow:
        raise ServerError("set ALLOW=<address of the gateway>: it needs no key")
    listen, model = bind_address(arguments.listen), _model(arguments)
    allow = tuple(checked_word("ALLOW", each) for each in arguments.allow)
    private = PrivateSide(_server(arguments), model, listen, allow, arguments.timeout)
    _warn_without_server(private.server)
    folder = _build(arguments) / MACHINE_FOLDER
    GatewayProcess(GatewayConfig(folder, model, private=private)).start()
    print(f"{listen} lets {', '.join(allow)} in without a key, and no other address")


def gateway_url(line: Sequence[str]) -> None:
    """Print the gateway's address.

    Raises:
        ServerError: no gateway runs.
    """
    folder = _build(parse("gateway-url", "Print the gateway's address.", line, "build"))
    folder /= PUBLIC_FOLDER
    if GatewayProcess(GatewayConfig(folder, "")).find() is None:
        raise ServerError("no gateway runs here: make gateway")
    print((folder / "url").read_text(encoding="utf-8"))


def gateway_key(line: Sequence[str]) -> None:
    """Print the key of a client, made if there is none."""
    arguments = parse("gateway-key", "Print a client's key.", line, "build", "name")
    print(key_of(_build(arguments) / PUBLIC_FOLDER / "keys", arguments.name))


def gateway_stop(line: Sequence[str]) -> None:
    """Stop the sides that run here, after the requests in progress."""
    build = _build(parse("gateway-stop", "Stop the gateway.", line, "build"))
    folders = (build / PUBLIC_FOLDER, build / MACHINE_FOLDER)
    stopped = [GatewayProcess(GatewayConfig(folder, "")).stop() for folder in folders]
    print("stopped" if any(stopped) else "no gateway runs here")


def link_keys(link: Path, keys: Path) -> None:
    """Have the gateway read a file of keys that others keep, such as a secret of Kubernetes.

    Kubernetes exchanges a secret's files by a link in their path, and removes the folder before:
    the new link is to the path, not to the file that it leads to now.
    """
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(keys.absolute())


def _warn_of_few_files() -> None:
    if open_files() < MOST_FILES:
        print(
            f"nginx may open {open_files()} files here, so an address has {address_connections()} "
            f"connections: raise the hard limit (ulimit -Hn) to {MOST_FILES} for more",
            file=sys.stderr,
        )


def _warn_without_server(server: ServerConfig) -> None:
    if TorchServeProcess(server).find() is None:
        print(f"no server runs on port {server.port} yet: make serve", file=sys.stderr)


def _server(arguments: Any) -> ServerConfig:
    return ServerConfig.of(arguments.port, arguments.build)


def _build(arguments: Any) -> Path:
    return Path(checked_word("BUILD", str(arguments.build.resolve())))


def _model(arguments: Any) -> str:
    return checked_word("MODEL", arguments.model)


def _public(arguments: Any) -> PublicSide:
    if bool(arguments.certificate) != bool(arguments.private_key):
        raise ServerError("TLS needs both CERTIFICATE=/file and PRIVATE_KEY=/file")
    certificate, private_key = (
        checked_word(name, str(file.resolve())) if file else None
        for name, file in (
            ("CERTIFICATE", arguments.certificate),
            ("PRIVATE_KEY", arguments.private_key),
        )
    )
    listen = bind_address(arguments.listen)
    if not (certificate or arguments.plaintext or is_loopback(listen)):
        raise ServerError(
            f"keys would travel to {listen} in clear text: set CERTIFICATE and PRIVATE_KEY, or "
            "PLAINTEXT=1 if something in front speaks TLS"
        )
    return PublicSide(
        listen,
        tuple(checked_word("MACHINES", each) for each in arguments.machines),
        certificate,
        private_key,
        rate=arguments.rate,
        origin=checked_word("ORIGIN", arguments.origin),
        read_timeout_s=arguments.timeout,
    )
