"""What the tests of a module simulate alike they simulate once."""

import pytest
from simulated_once import simulated_once


@pytest.fixture(autouse=True, scope="module")
def one_memory():
    with simulated_once():
        yield
