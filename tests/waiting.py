"""What would make the host wait for a GPU, seen on any machine."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

NAMES = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal")


class Waits(TorchDispatchMode):
    """Lists what waits: values read, and shapes that depend on values."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        masked = name in ("index", "index_put", "index_put_") and any(
            isinstance(index, torch.Tensor) and index.dtype == torch.bool for index in args[1]
        )
        if name in NAMES or masked:
            self.seen.append(name)
        return func(*args, **(kwargs or {}))
