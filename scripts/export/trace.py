"""What the saliency network does, step by step: the operators that a forward pass calls.

Whatever runs the network elsewhere (OpenVINO's graph, ncnn's, the quantised twin) follows these
steps and needs no second definition of U²-Net.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

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
    """Follow a picture through a variant's network; no weights are looked at."""
    with torch.device("meta"):
        network = SaliencyNetwork(variant, batch_norm=False).eval()
        picture = torch.empty(1, 3, variant.size, variant.size)
        recorder = _Recorder(network, picture)
    # Autograd would split some of the operators into others.
    with torch.inference_mode(), recorder:
        network(picture)
    return recorder.steps


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Lists the operators that a network calls, which ``torch.export`` takes seconds for.

    Source: https://docs.pytorch.org/docs/stable/notes/extending.html
    """

    def __init__(self, network: nn.Module, picture: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.parameters = {id(value): name for name, value in network.named_parameters()}
        self.steps = [Step(Operation.INPUT, (), tuple(picture.shape))]
        self.places = {id(picture): 0}
        # Kept, so that no later tensor gets the same id.
        self.results = [picture]

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        operation, name = OPERATIONS[str(func.overloadpacket)], ""
        if operation is Operation.CONVOLUTION:
            name = self.parameters[id(args[1])].removesuffix(".weight")
        tensors = args[0] if operation is Operation.CONCATENATE else args
        inputs = [
            self.places[id(each)]
            for each in tensors
            if isinstance(each, Tensor) and id(each) not in self.parameters
        ]
        # Also where it is the same tensor as before, changed in place.
        self.places[id(result)] = len(self.steps)
        self.results.append(result)
        self.steps.append(Step(operation, tuple(inputs), tuple(result.shape), name))
        return result


def names_of(steps: Sequence[Step]) -> list[str]:
    """Return what each step is called: a convolution by its name, others by what they do to which.

    Places in the list change with the network's definition and torch's operators; these do not.
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
