"""What `make serve` does otherwise where the network runs on a GPU."""

from pathlib import Path

import yaml

from build_archive import MODEL_CONFIG, archived_metadata
from execution import Runtime
from export_network import has_gpu
from management_api import Batching

# Beyond that the network hardly gets faster, but the first of a batch waits for the last.
MOST_PICTURES = 8
# Two rounds of the largest pictures on a worker's threads fit into the model's responseTimeout.
PICTURES_A_THREAD = 2
# Shorter than any batch takes; under load batches fill while the one before is served.
DELAY_MS = 5


def gpus_for(archive: Path, model_config: Path = MODEL_CONFIG) -> int:
    """Return how many GPUs TorchServe will run an archive's workers on."""
    metadata = archived_metadata(archive)
    if metadata is None or metadata.runtime != Runtime.TORCH.value or not has_gpu():
        return 0
    if yaml.safe_load(model_config.read_text(encoding="utf-8")).get("deviceType") == "cpu":
        return 0
    import torch  # takes seconds; has_gpu has imported it by now

    return torch.cuda.device_count()


def batching_for(gpus: int, threads: int, chosen: Batching) -> Batching:
    """Fill in what the user has not chosen; on CPUs batches are the archive's business."""
    if not gpus:
        return chosen
    size = min(MOST_PICTURES, PICTURES_A_THREAD * threads)
    return Batching(chosen.size or size, DELAY_MS if chosen.delay_ms is None else chosen.delay_ms)
