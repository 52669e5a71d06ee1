"""What all test processes share: one torch thread, the width of a pipe, and a rule for rows."""

import os

import pytest
import torch
from row_names import held

from simulations.verification.checks.evidence import Measured, Simulated

torch.set_num_threads(1)  # the processes already share the cores, and small networks gain nothing
for name in ("COLUMNS", "LINES"):  # readline sets them in the workers of pytest-xdist
    os.environ.pop(name, None)


@pytest.fixture(autouse=True, scope="session")
def rows_say_their_parameters():
    """Hold every row that a check builds to :func:`row_names.unsaid`."""
    with pytest.MonkeyPatch.context() as patch:
        for row in (Simulated, Measured):
            patch.setattr(row, "__init__", held(row.__init__))
        yield
