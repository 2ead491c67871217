"""What the saliency network does, step by step: the graph that ``torch.export`` records of it.

Whatever runs the network elsewhere (OpenVINO's graph, ncnn's, the quantised twin) follows these
steps and needs no second definition of U²-Net.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache

import torch
from torch import Tensor, fx, nn

from u2net_cutout.network.u2net import SaliencyNetwork
from u2net_cutout.network.variant import Variant


class Operation(Enum):
    """What one step does."""

    INPUT = "input"
    CONVOLUTION = "convolution"
    RELU = "relu"
    MAX_POOL = "max_pool"
    """Over 2x2 pixels, odd sides rounded up."""
    CONCATENATE = "concatenate"
    """Along the channels."""
    RESIZE = "resize"
    """Bilinear, pixel centres at halves."""
    ADD = "add"
    SIGMOID = "sigmoid"


# The operators that the network uses, by their names in PyTorch's ATen.
OPERATIONS = {
    "aten.conv2d": Operation.CONVOLUTION,
    "aten.relu": Operation.RELU,
    "aten.relu_": Operation.RELU,
    "aten.max_pool2d": Operation.MAX_POOL,
    "aten.cat": Operation.CONCATENATE,
    "aten.upsample_bilinear2d": Operation.RESIZE,
    "aten.add": Operation.ADD,
    "aten.sigmoid": Operation.SIGMOID,
}


@dataclass(frozen=True)
class Step:
    """One step and the steps whose results it takes, by their place in the list."""

    operation: Operation
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    """Of its result: (1, C, H, W)."""
    convolution: str = ""
    """Name of the convolution in the network."""


def network_steps(network: SaliencyNetwork) -> list[Step]:
    """List the steps in which a network maps one (1, 3, S, S) picture; the last is its result.

    `network` has its batch norm folded.
    """
    return list(_steps(network.variant))


@cache
def _steps(variant: Variant) -> Sequence[Step]:
    """Trace a variant's network, which takes seconds; no weights are looked at.

    Source: https://docs.pytorch.org/docs/stable/export.html
    """
    with torch.device("meta"):
        network = SaliencyNetwork(variant, batch_norm=False).eval()
        picture = torch.empty(1, 3, variant.size, variant.size)
    program = torch.export.export(network, (picture,))
    parameters = program.graph_signature.inputs_to_parameters
    steps: list[Step] = []
    places: dict[fx.Node, int] = {}
    for node in program.graph.nodes:
        if node.op == "output" or node.name in parameters:
            continue
        operation, name = Operation.INPUT, ""
        if node.op == "call_function":
            operation = OPERATIONS[str(node.target).rpartition(".")[0]]
        if operation is Operation.CONVOLUTION:
            name = parameters[node.args[1].name].removesuffix(".weight")
        inputs = tuple(places[source] for source in node.all_input_nodes if source in places)
        places[node] = len(steps)
        steps.append(Step(operation, inputs, tuple(node.meta["val"].shape), name))
    return steps


def names_of(steps: Sequence[Step]) -> list[str]:
    """Return what each step is called: a convolution by its name, others by what they do to which.

    Places in the list change with the network's definition and torch's tracing; these do not.
    """
    names: list[str] = []
    for step in steps:
        taken = ", ".join(names[source] for source in step.inputs)
        names.append(
            step.convolution or step.operation.value + (f"({taken})" if step.inputs else "")
        )
    return names


def convolution(network: SaliencyNetwork, name: str) -> nn.Conv2d:
    """Return a convolution of a network by its name.

    Raises:
        TypeError: the module of that name is not a convolution.
    """
    module = network.get_submodule(name)
    if not isinstance(module, nn.Conv2d):
        raise TypeError(f"{name} is not a convolution")
    return module


def biases(module: nn.Conv2d) -> Tensor:
    """Return a convolution's biases, (out,); every one of U²-Net's has them.

    Raises:
        TypeError: it has none.
    """
    if module.bias is None:
        raise TypeError("a convolution without biases")
    return module.bias
