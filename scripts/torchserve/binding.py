"""The addresses that TorchServe binds to: loopback, unless the user exposes an interface."""

import ipaddress
from collections.abc import Mapping, Set
from urllib.parse import urlsplit

HOST = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - bound to only where EXPOSE names the interface

# The properties that hold the bind addresses, by interface.
ADDRESSES = {
    "inference": "inference_address",
    "management": "management_address",
    "metrics": "metrics_address",
    "grpc_inference": "grpc_inference_address",
    "grpc_management": "grpc_management_address",
}

# What a server of KServe's protocol, which has no tokens, may expose.
OPEN_TO_KSERVE = frozenset({"inference", "grpc_inference"})


def host_of(interface: str, exposed: Set[str]) -> str:
    """Return the address to bind one of ``ADDRESSES`` to."""
    return EVERYWHERE if interface in exposed else HOST


def objection(
    properties: Mapping[str, str], exposed: Set[str], tokenless: Set[str] = frozenset()
) -> str | None:
    """Return why a configuration must not be used, as other machines could reach it; or None.

    `exposed` are those of ``ADDRESSES`` that the user wants to be reached from other machines,
    `tokenless` those that may be even where tokens are switched off.
    """
    if unknown := exposed - ADDRESSES.keys():
        return f"EXPOSE={','.join(sorted(unknown))}: choose {', '.join(ADDRESSES)}"
    for interface, key in ADDRESSES.items():
        if interface not in exposed and not is_loopback(properties.get(key, HOST)):
            return (
                f"other machines could reach {key}={properties[key]} of the configuration. Set it "
                "to 127.0.0.1 and put a proxy in front; SECURITY.md lists what that must do. To "
                f"expose it all the same: make serve EXPOSE={interface}"
            )
    guarded = exposed - tokenless
    if guarded and properties.get("disable_token_authorization", "false").lower() != "false":
        cure = "leave it out" if tokenless else "set disable_token_authorization=false"
        return (
            f"EXPOSE={','.join(sorted(guarded))} with tokens switched off would let anyone in: "
            f"{cure}"
        )
    return None


def is_loopback(address: str) -> bool:
    """Whether an address, with or without a scheme and a port, is a loopback address."""
    host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
