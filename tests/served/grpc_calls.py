"""gRPC as the tests speak it: messages that TorchServe's wheel does not describe, and channels."""

from collections.abc import Mapping, Sequence
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from scripts.torchserve.binding import HOST
from scripts.torchserve.config import ServerConfig

Descriptor = descriptor_pb2.FieldDescriptorProto
SCALARS = {
    "string": Descriptor.TYPE_STRING,
    "bytes": Descriptor.TYPE_BYTES,
    "int64": Descriptor.TYPE_INT64,
}
PACKAGE = "tests"
Fields = Sequence[tuple[int, str, str]]


def message_types(messages: Mapping[str, Fields]) -> dict[str, Any]:
    """Make message classes of their fields: number, name, and a scalar's or a message's name.

    A type that begins with ``repeated`` is a list. A map is a list of its entries, as it is sent.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{'_'.join(messages)}.proto", package=PACKAGE, syntax="proto3"
    )
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for number, field, kind in fields:
            repeated = kind.startswith("repeated ")
            label = Descriptor.LABEL_REPEATED if repeated else Descriptor.LABEL_OPTIONAL
            kind = kind.removeprefix("repeated ")
            added = message.field.add(name=field, number=number, label=label)
            if kind in SCALARS:
                added.type = SCALARS[kind]
            else:
                added.type, added.type_name = Descriptor.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in messages
    }


def channel_to(config: ServerConfig, port: str) -> grpc.Channel:
    """Open a channel to one of a server's ports, past any proxy."""
    address = f"{HOST}:{config.port_of(port)}"
    return grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)])
