"""One torch thread a test process: the processes already share the cores, and small networks gain nothing."""

import torch

torch.set_num_threads(1)
