"""Start and end the gateway, and hand out its keys: what the Makefile's gateway targets call."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.common.options import parse
from scripts.gateway.config import GatewayConfig
from scripts.gateway.keys import DEFAULT_CLIENT, key_of
from scripts.gateway.nginx import STOP_TIMEOUT_S, GatewayProcess
from scripts.gateway.sides import PrivateSide, PublicSide, bind_address, checked_word
from scripts.torchserve.binding import HOST, is_loopback
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.process import TorchServeProcess

LISTEN = f"{HOST}:8000"
COMMON = ("port", "build", "model")
PUBLIC = ("machines", "certificate", "private-key", "plaintext")
# Below the build folder.
PUBLIC_FOLDER = "gateway"
MACHINE_FOLDER = "gateway-machine"


def start_public(config: GatewayConfig, public: PublicSide) -> None:
    """Start the public side, with this machine's private side or in front of others'.

    Raises:
        ServerError: it does not start.
    """
    key_of(config.keys, DEFAULT_CLIENT)
    GatewayProcess(config).start()
    (config.folder / "url").write_text(public.url, encoding="utf-8")
    behind = ", ".join(public.machines) or "this machine"
    print(f"the gateway answers at {public.url}, in front of {behind}")
    print(f"  POST pictures to {public.url}/v1.0/removebg")
    print("  with the header  X-Api-Key: $(make -s gateway-key)")


def start_machine(config: GatewayConfig, private: PrivateSide) -> None:
    """Start the private side alone, for gateways of other machines.

    Raises:
        ServerError: it does not start, or would let everybody in.
    """
    if not private.allow:
        raise ServerError("say who may come in without a key: ALLOW=<address of the gateway>")
    GatewayProcess(config).start()
    print(f"{private.listen} answers {', '.join(private.allow)} without a key, and nobody else")


def link_keys(link: Path, keys: Path) -> None:
    """Have the gateway read the keys that others keep, wherever their file leads to by then.

    Kubernetes exchanges a secret's files by a link on the way, and removes the folder before.
    """
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(keys.absolute())


def run_public(config: GatewayConfig, public: PublicSide, keys: Path | None) -> None:
    """Run the public side until it ends; on SIGTERM, answer what is in hand and end it.

    `keys` is a file of keys that others keep, such as a secret of Kubernetes.

    Raises:
        ServerError: it does not start, or ended by itself.
    """
    if keys is not None:
        link_keys(config.keys, keys)
    nginx = GatewayProcess(config).start_in_foreground()
    try:
        print(f"the gateway is to answer at {public.url}", flush=True)
        status = nginx.wait()
    except (KeyboardInterrupt, SystemExit):
        nginx.send_signal(signal.SIGQUIT)
        try:
            nginx.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            nginx.terminate()
            nginx.wait()
        return
    raise ServerError(f"nginx ended with {status}; its last lines may tell why")


def _warn_without_server(server: ServerConfig) -> None:
    if TorchServeProcess(server).find() is None:
        print(f"no server runs on port {server.port} yet: make serve", file=sys.stderr)


def gateway(line: Sequence[str]) -> None:
    """Start the public side, with this machine's private side or in front of others'."""
    arguments = parse(
        "gateway",
        "Start nginx in front of the server.",
        line,
        *COMMON,
        *PUBLIC,
        listen=LISTEN,
        rate=PublicSide.rate,
        origin=PublicSide.origin,
        timeout=PublicSide.read_timeout_s,
    )
    public, server = _public(arguments), _server(arguments)
    private = None
    if not public.machines:
        private = PrivateSide(server, _model(arguments), read_timeout_s=arguments.timeout)
        _warn_without_server(server)
    folder = _build(arguments) / PUBLIC_FOLDER
    start_public(GatewayConfig(folder, _model(arguments), public, private), public)


def gateway_run(line: Sequence[str]) -> None:
    """Run the public side in the foreground, as containers do."""
    arguments = parse(
        "gateway-run",
        "Run the gateway in the foreground.",
        line,
        *COMMON,
        *PUBLIC,
        "keys",
        listen=LISTEN,
        rate=PublicSide.rate,
        origin=PublicSide.origin,
        timeout=PublicSide.read_timeout_s,
    )
    public, model = _public(arguments), _model(arguments)
    private = PrivateSide(_server(arguments), model, read_timeout_s=arguments.timeout)
    folder = _build(arguments) / PUBLIC_FOLDER
    config = GatewayConfig(folder, model, public, private, console=True)
    run_public(config, public, arguments.keys)


def gateway_machine(line: Sequence[str]) -> None:
    """Start the private side alone, for gateways of other machines."""
    arguments = parse(
        "gateway-machine",
        "Let gateways of other machines in.",
        line,
        *COMMON,
        "allow",
        listen=LISTEN,
        timeout=PublicSide.read_timeout_s,
    )
    listen, server = bind_address(arguments.listen), _server(arguments)
    allow = tuple(checked_word("ALLOW", each) for each in arguments.allow)
    private = PrivateSide(server, _model(arguments), listen, allow, arguments.timeout)
    _warn_without_server(server)
    folder = _build(arguments) / MACHINE_FOLDER
    start_machine(GatewayConfig(folder, _model(arguments), private=private), private)


def gateway_url(line: Sequence[str]) -> None:
    """Print where the gateway answers."""
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
    """Stop whichever sides run here, after the requests in progress."""
    build = _build(parse("gateway-stop", "Stop the gateway.", line, "build"))
    folders = (build / PUBLIC_FOLDER, build / MACHINE_FOLDER)
    stopped = [GatewayProcess(GatewayConfig(folder, "")).stop() for folder in folders]
    print("stopped" if any(stopped) else "no gateway runs here")


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
            "PLAINTEXT=1 where something in front speaks TLS"
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
