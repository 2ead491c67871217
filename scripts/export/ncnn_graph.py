"""The saliency network as a graph of ncnn, in float32.

Format: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure, layers:
https://github.com/Tencent/ncnn/wiki/operators. Built from the network's own steps, like OpenVINO's.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scripts.export.trace import Operation, Step, biases, convolution, network_steps
from u2net_cutout.network.u2net import SaliencyNetwork

MAGIC = "7767517"
# Precedes a layer's weights: they follow as 32-bit floats.
FLOAT32_TAG = bytes(4)
# A layer's parameters, by the numbers that the format gives them.
RELU_AFTERWARDS = "9=1"
MAX_CEILING = "0=0 1=2 2=2 5=0"
ALONG_CHANNELS = "0=0"
BILINEAR = "0=2"
ADDITION = "0=0"


@dataclass(frozen=True)
class NcnnGraph:
    """A network as ncnn reads it: ``picture`` (3, S, S) -> ``maps`` (M, S, S), float32."""

    param: str
    """The layers, a line each."""
    weights: bytes
    """Those of the convolutions, in the layers' order."""

    def save(self, file: Path) -> list[Path]:
        """Write it as ``<file>.bin`` and ``<file>.param``; return both."""
        weights, param = file.with_suffix(".bin"), file.with_suffix(".param")
        weights.write_bytes(self.weights)
        param.write_text(self.param, encoding="ascii")
        return [weights, param]


def ncnn_graph(network: SaliencyNetwork) -> NcnnGraph:
    """Build the graph of a folded network."""
    steps = network_steps(network)
    builder = _Builder(network, steps)
    for place in range(len(steps)):
        builder.add(place)
    return builder.graph()


@dataclass
class _Builder:
    network: SaliencyNetwork
    steps: Sequence[Step]
    lines: list[str] = field(default_factory=list)
    weights: list[bytes] = field(default_factory=list)
    blobs: int = 0

    def __post_init__(self) -> None:
        self.uses = Counter(source for step in self.steps for source in step.inputs)
        # A ReLU is part of the convolution before it, which costs it nothing.
        self.merged = {
            step.inputs[0]: place
            for place, step in enumerate(self.steps)
            if step.operation is Operation.RELU
            and self.steps[step.inputs[0]].operation is Operation.CONVOLUTION
            and self.uses[step.inputs[0]] == 1
        }
        self.taken: Counter[int] = Counter()

    def add(self, place: int) -> None:
        """Write a step's layer, and one that hands its result to each of those that take it."""
        if place in self.merged.values():
            return
        step = self.steps[place]
        kind, numbers = self._layer(place, step)
        place = self.merged.get(place, place)
        sources = [self._source(source) for source in step.inputs]
        last = place == len(self.steps) - 1
        result = "picture" if not step.inputs else "maps" if last else f"b{place}"
        self._line(kind, result, sources, [result], numbers)
        if self.uses[place] > 1:
            copies = [f"b{place}_{number}" for number in range(self.uses[place])]
            self._line("Split", f"split{place}", [result], copies, "")

    def graph(self) -> NcnnGraph:
        counts = f"{len(self.lines)} {self.blobs}"
        return NcnnGraph("\n".join([MAGIC, counts, *self.lines, ""]), b"".join(self.weights))

    def _source(self, place: int) -> str:
        """Return the name of the next copy of a result that nothing has taken yet."""
        if self.uses[place] == 1:
            return "picture" if place == 0 else f"b{place}"
        number = self.taken[place]
        self.taken[place] += 1
        return f"b{place}_{number}"

    def _line(
        self, kind: str, name: str, sources: Sequence[str], results: Sequence[str], numbers: str
    ) -> None:
        words = [kind, name, str(len(sources)), str(len(results)), *sources, *results, numbers]
        self.lines.append(" ".join(words).rstrip())
        self.blobs += len(results)

    def _layer(self, place: int, step: Step) -> tuple[str, str]:
        """Return the kind of a step's layer and its numbers; keep its weights."""
        height, width = step.shape[2:]
        match step.operation:
            case Operation.INPUT:
                return "Input", f"0={width} 1={height} 2={step.shape[1]}"
            case Operation.CONVOLUTION:
                relu = f" {RELU_AFTERWARDS}" if place in self.merged else ""
                return "Convolution", self._convolution(step.convolution) + relu
            case Operation.RELU:
                return "ReLU", ""
            case Operation.MAX_POOL:
                return "Pooling", MAX_CEILING
            case Operation.CONCATENATE:
                return "Concat", ALONG_CHANNELS
            case Operation.RESIZE:
                return "Interp", f"{BILINEAR} 3={height} 4={width}"
            case Operation.ADD:
                return "BinaryOp", ADDITION
            case Operation.SIGMOID:
                return "Sigmoid", ""
        raise ValueError(f"{step.operation} has no layer")

    def _convolution(self, name: str) -> str:
        module = convolution(self.network, name)
        kernel = module.weight.detach().numpy().astype(np.float32)
        bias = biases(module).detach().numpy().astype(np.float32)
        self.weights += [FLOAT32_TAG, kernel.tobytes(), bias.tobytes()]
        size, spread, step = kernel.shape[2], module.dilation[0], module.stride[0]
        return (
            f"0={kernel.shape[0]} 1={size} 2={spread} 3={step} 4={size // 2 * spread} 5=1 "
            f"6={kernel.size}"
        )
