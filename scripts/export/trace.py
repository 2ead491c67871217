"""What the saliency network does, step by step: its own forward pass, written down.

Whatever runs the network elsewhere (OpenVINO's graph, ncnn's, the quantised twin) follows these
steps and needs no second definition of U²-Net.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from preprocessing import INPUT_SIZE
from u2net_cutout.network.u2net import SaliencyNetwork


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
    """Write a network down as it maps one (1, 3, 320, 320) picture; the last step is its result.

    `network` has its batch norm folded, and stays as it is.
    """
    names = {id(m.weight): n for n, m in network.named_modules() if isinstance(m, nn.Conv2d)}
    shape = (1, 3, INPUT_SIZE, INPUT_SIZE)
    recorder = _Recorder(names, [Step(Operation.INPUT, (), shape)])
    network(_Result(recorder, 0, torch.empty(shape, device="meta")))
    return recorder.steps


def convolution(network: SaliencyNetwork, name: str) -> nn.Conv2d:
    """Return a convolution of a network by its name.

    Raises:
        TypeError: what has that name is none.
    """
    module = network.get_submodule(name)
    if not isinstance(module, nn.Conv2d):
        raise TypeError(f"{name} is no convolution")
    return module


def biases(module: nn.Conv2d) -> Tensor:
    """Return a convolution's biases, (out,); every one of U²-Net's has them.

    Raises:
        TypeError: it has none.
    """
    if module.bias is None:
        raise TypeError("a convolution without biases")
    return module.bias


@dataclass(frozen=True)
class _Recorder:
    names: dict[int, str]
    steps: list[Step]

    def record(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> "_Result":
        operation = OPERATIONS[function]
        taken = args[0] if operation is Operation.CONCATENATE else args
        results = [each for each in taken if isinstance(each, _Result)]
        name = ""
        if operation is Operation.CONVOLUTION:
            name = self.names[id(args[1])]
            args = (args[0], *(a.to("meta") if isinstance(a, Tensor) else a for a in args[1:]))
        # On the meta device a step computes shapes only.
        computed = function(*_unwrapped(args), **{**kwargs, **_not_in_place(kwargs)})
        places = tuple(each.place for each in results)
        self.steps.append(Step(operation, places, tuple(computed.shape), name))
        return _Result(self, len(self.steps) - 1, computed)


class _Result:
    """Stands for a tensor in the network's forward pass.

    Source: https://docs.pytorch.org/docs/stable/notes/extending.html#extending-torch-python-api
    """

    def __init__(self, recorder: _Recorder, place: int, computed: Tensor) -> None:
        self.recorder = recorder
        self.place = place
        self.computed = computed

    @property
    def shape(self) -> torch.Size:
        return self.computed.shape

    def __add__(self, other: "_Result") -> "_Result":
        return self.recorder.record(torch.add, (self, other), {})

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> "_Result":
        first = args[0][0] if isinstance(args[0], tuple | list) else args[0]
        recorder: _Recorder = first.recorder
        return recorder.record(function, args, kwargs or {})


OPERATIONS: dict[Callable[..., Any], Operation] = {
    torch.conv2d: Operation.CONVOLUTION,
    functional.conv2d: Operation.CONVOLUTION,
    functional.relu: Operation.RELU,
    functional.max_pool2d: Operation.MAX_POOL,
    torch.cat: Operation.CONCATENATE,
    functional.interpolate: Operation.RESIZE,
    torch.add: Operation.ADD,
    torch.sigmoid: Operation.SIGMOID,
}


def _unwrapped(value: Any) -> Any:
    if isinstance(value, _Result):
        return value.computed
    if isinstance(value, tuple | list):
        return type(value)(_unwrapped(each) for each in value)
    return value


def _not_in_place(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {"inplace": False} if "inplace" in kwargs else {}
