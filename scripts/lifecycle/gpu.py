"""What differs in `make serve` where the network runs on a GPU."""

from pathlib import Path

import yaml

from scripts.archive.build import MODEL_CONFIG, archived_metadata
from scripts.export.choose import has_gpu
from scripts.torchserve.batching import Batching

# Larger batches suit the network, but not TorchServe: it reads a batch's responses anew with every
# piece of them that arrives. A worker that did nothing else passed on some 400 responses of 1.5 MB
# a second one by one, 150 in twos, 50 in fours and 30 in eights. It costs small responses nothing.
PICTURES = 2
# Shorter than any batch takes; under load batches fill while the one before is served.
DELAY_MS = 5


def gpus_for(archive: Path, model_config: Path = MODEL_CONFIG) -> int:
    """Return how many GPUs TorchServe will run an archive's workers on."""
    if not has_gpu():
        return 0
    metadata = archived_metadata(archive)
    if metadata is None or metadata.device != "cuda":
        return 0
    if yaml.safe_load(model_config.read_text(encoding="utf-8")).get("deviceType") == "cpu":
        return 0
    import torch  # takes seconds; has_gpu has imported it by now

    return torch.cuda.device_count()


def batching_for(gpus: int, chosen: Batching) -> Batching:
    """Fill in what the user has not chosen; on CPUs the archive decides."""
    if not gpus:
        return chosen
    return Batching(
        PICTURES if chosen.size is None else chosen.size,
        DELAY_MS if chosen.delay_ms is None else chosen.delay_ms,
    )
