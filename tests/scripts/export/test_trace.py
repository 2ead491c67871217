import pytest
import torch

from scripts.export.trace import Operation, Step, convolution, names_of, network_steps
from u2net_cutout.network.u2net import SaliencyNetwork
from u2net_cutout.network.variant import VARIANTS


@pytest.fixture(scope="module")
def network() -> SaliencyNetwork:
    with torch.device("meta"):
        return SaliencyNetwork(VARIANTS["u2netp"], batch_norm=False).eval()


@pytest.fixture(scope="module")
def steps(network: SaliencyNetwork) -> list[Step]:
    return network_steps(network)


def test_every_convolution_is_a_step_and_once(network: SaliencyNetwork, steps: list[Step]) -> None:
    names = [name for name, m in network.named_modules() if isinstance(m, torch.nn.Conv2d)]

    met = [step.convolution for step in steps if step.operation is Operation.CONVOLUTION]
    assert sorted(met) == sorted(names)
    assert met[0] == "stage1.rebnconvin.conv_s1"


def test_the_first_step_is_the_picture_and_the_last_the_seven_maps(steps: list[Step]) -> None:
    assert (steps[0].operation, steps[0].shape) == (Operation.INPUT, (1, 3, 320, 320))
    assert (steps[-1].operation, steps[-1].shape) == (Operation.SIGMOID, (1, 7, 320, 320))


def test_steps_take_only_what_was_there_before(steps: list[Step]) -> None:
    for place, step in enumerate(steps):
        assert all(source < place for source in step.inputs)


def test_sums_and_concatenations_take_all_their_parts(steps: list[Step]) -> None:
    for step in steps:
        if step.operation is Operation.CONCATENATE:
            assert sum(steps[source].shape[1] for source in step.inputs) == step.shape[1]
        if step.operation is Operation.ADD:
            assert len(step.inputs) == 2


def test_what_is_no_convolution_is_refused(network: SaliencyNetwork) -> None:
    with pytest.raises(TypeError, match="stage1 is not a convolution"):
        convolution(network, "stage1")


def test_a_stem_is_the_first_convolution_and_no_map_is_fused(stemmed: SaliencyNetwork) -> None:
    steps = network_steps(stemmed)

    stem = next(step for step in steps if step.operation is Operation.CONVOLUTION)
    assert (stem.convolution, stem.shape) == ("conv_in", (1, 16, 64, 64))
    assert (steps[-1].operation, steps[-1].shape) == (Operation.SIGMOID, (1, 6, 128, 128))


def test_steps_are_called_by_convolutions_and_what_is_done_to_them(steps: list[Step]) -> None:
    names = names_of(steps)

    assert names[:3] == [
        "input",
        "stage1.rebnconvin.conv_s1",
        "relu(stage1.rebnconvin.conv_s1)",
    ]
    [total] = [name for name in names if name.startswith("add") and "stage6" in name]
    assert total == "add(relu(stage6.rebnconvin.conv_s1), relu(stage6.rebnconv1d.conv_s1))"
