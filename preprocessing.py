"""The network's input, as the archive's extra file; the package has it where the wheel takes it."""

from u2net_cutout.network.preprocessing import Normalize, Rescale

__all__ = ["Normalize", "Rescale"]
