"""What all test processes share: one torch thread, and the width of a pipe."""

import os

import torch

torch.set_num_threads(1)  # the processes already share the cores, and small networks gain nothing
for name in ("COLUMNS", "LINES"):  # readline sets them in the workers of pytest-xdist
    os.environ.pop(name, None)
