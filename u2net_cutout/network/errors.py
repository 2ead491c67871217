"""Why a model can't be served."""


class ModelLoadError(RuntimeError):
    """The model can't be served. A RuntimeError, because TorchServe reports no other kind."""
