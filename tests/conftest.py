"""What all test processes share: one torch thread, the width of a pipe, memory, rare collections, a rule for rows."""

import gc
import os
import sys

os.environ.setdefault("SYMPY_CACHE_SIZE", "50000")  # SymPy reads it once, and forgets after a thousand expressions

import pytest
import torch
from hypothesis import HealthCheck, settings
from row_names import held

from simulations.verification.checks.evidence import Measured, Simulated

gc.set_threshold(100_000, 20, 20)  # else a seventh of the time goes into looking at objects that all stay

settings.register_profile(
    "alike",  # the same examples in every run, and none refused because the machine is busy
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("alike")

torch.set_num_threads(1)  # the processes already share the cores, and small networks gain nothing
for name in ("COLUMNS", "LINES"):  # readline sets them in the workers of pytest-xdist
    os.environ.pop(name, None)


def pytest_collection_finish():
    """Modules, tests and whatever else is there by now stay to the end: no collection has to look at them."""
    gc.freeze()


@pytest.fixture(autouse=True)
def arithmetic_is_left_as_it_was():
    """A test after which small numbers are zero, or torch has other threads, fails, and not one that comes later."""
    yield
    left = sys.float_info.min / 4 > 0, torch.get_num_threads()
    torch.set_flush_denormal(False)
    torch.set_num_threads(1)
    assert left == (True, 1)


@pytest.fixture(autouse=True, scope="session")
def rows_say_their_parameters():
    """Hold every row that a check builds to :func:`row_names.unsaid`."""
    with pytest.MonkeyPatch.context() as patch:
        for row in (Simulated, Measured):
            patch.setattr(row, "__init__", held(row.__init__))
        yield
