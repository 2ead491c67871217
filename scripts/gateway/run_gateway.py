"""Start and end the gateway, and hand out its keys: what the Makefile's gateway targets call."""

import argparse
import signal
import subprocess
import sys
from pathlib import Path

from api_keys import DEFAULT_CLIENT, key_of
from exposure import HOST
from gateway_config import GatewayConfig
from gateway_process import STOP_TIMEOUT_S, GatewayProcess
from gateway_sides import PrivateSide, PublicSide, checked_word
from server_config import ServerConfig, ServerError
from torchserve_process import TorchServeProcess

# The command's settings, as make names them.
DEFAULT_LISTEN = f"{HOST}:8000"


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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
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


def stop(*configs: GatewayConfig) -> None:
    """End whichever sides run here."""
    stopped = [GatewayProcess(config).stop() for config in configs]
    print("stopped" if any(stopped) else "no gateway runs here")


def _warn_without_server(server: ServerConfig) -> None:
    if TorchServeProcess(server).find() is None:
        print(f"no server runs on port {server.port} yet: make serve", file=sys.stderr)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    ServerConfig.add_arguments(parser)
    parser.add_argument("command", choices=("start", "run", "machine", "url", "key", "stop"))
    parser.add_argument("--model", default="u2net", help="what /v1.0/removebg asks")
    parser.add_argument("--listen", default=DEFAULT_LISTEN, help="address:port")
    parser.add_argument("--machines", default="", help="addresses, parted by blanks")
    parser.add_argument("--allow", default="", help="addresses of gateways, parted by blanks")
    parser.add_argument("--certificate", help="file, for TLS")
    parser.add_argument("--private-key", help="file, for TLS")
    parser.add_argument("--rate", type=int, default=PublicSide.rate, help="requests a minute")
    parser.add_argument("--origin", default=PublicSide.origin, help="whose pages may ask")
    parser.add_argument("--timeout", type=int, default=PublicSide.read_timeout_s, help="seconds")
    parser.add_argument("--keys", type=Path, help="of run: the file of keys that others keep")
    parser.add_argument("--name", default=DEFAULT_CLIENT, help="whose key")
    return parser.parse_args()


def _public(arguments: argparse.Namespace) -> PublicSide:
    if bool(arguments.certificate) != bool(arguments.private_key):
        raise ServerError("TLS needs both CERTIFICATE=/file and PRIVATE_KEY=/file")
    certificate, private_key = (
        checked_word("CERTIFICATE", str(Path(file).resolve())) if file else None
        for file in (arguments.certificate, arguments.private_key)
    )
    return PublicSide(
        checked_word("LISTEN", arguments.listen),
        tuple(checked_word("MACHINES", each) for each in arguments.machines.split()),
        certificate,
        private_key,
        rate=arguments.rate,
        origin=checked_word("ORIGIN", arguments.origin),
        read_timeout_s=arguments.timeout,
    )


def _run(arguments: argparse.Namespace) -> None:
    server = ServerConfig.from_arguments(arguments)
    build = Path(checked_word("BUILD", str(arguments.build.resolve())))
    folder, machine_folder = build / "gateway", build / "gateway-machine"
    model = checked_word("MODEL", arguments.model)
    match arguments.command:
        case "start":
            public = _public(arguments)
            own = PrivateSide(server, model, read_timeout_s=arguments.timeout)
            private = None if public.machines else own
            if private:
                _warn_without_server(server)
            start_public(GatewayConfig(folder, model, public, private), public)
        case "run":
            public = _public(arguments)
            private = PrivateSide(server, model, read_timeout_s=arguments.timeout)
            config = GatewayConfig(folder, model, public, private, console=True)
            run_public(config, public, arguments.keys)
        case "machine":
            listen = checked_word("LISTEN", arguments.listen)
            allow = tuple(checked_word("ALLOW", each) for each in arguments.allow.split())
            private = PrivateSide(server, model, listen, allow, arguments.timeout)
            _warn_without_server(server)
            start_machine(GatewayConfig(machine_folder, model, private=private), private)
        case "url":
            print(_url(folder))
        case "key":
            print(key_of(folder / "keys", arguments.name))
        case "stop":
            stop(GatewayConfig(folder, model), GatewayConfig(machine_folder, model))


def _url(folder: Path) -> str:
    if GatewayProcess(GatewayConfig(folder, "")).find() is None:
        raise ServerError("no gateway runs here: make gateway")
    return (folder / "url").read_text(encoding="utf-8")


def main() -> None:
    """Run the command line."""
    arguments = _parse()
    try:
        _run(arguments)
    except ServerError as error:
        # Containers run it without make.
        commands = {"start": "make gateway", "run": "gateway"}
        sys.exit(f"{commands.get(arguments.command, f'make gateway-{arguments.command}')}: {error}")


if __name__ == "__main__":
    main()
