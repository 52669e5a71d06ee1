"""Simulations whose every input is equal are run once: a control with a wrong formula needs no other samples.

A kernel's results depend on its streams' states and on its arguments alone. All of them are the key, so a wrong gate,
another seed or another number of threads is simulated anew.
"""

import pickle
import sys
from contextlib import contextmanager

import pytest

from simulations.randomness.streams import in_chunks

__all__ = ["once", "remembering", "simulated_once"]


def once(simulate=in_chunks):
    """Return ``in_chunks`` with a memory; the states are left as the kernel leaves them."""
    known = {}

    def remembered(function, states, n_threads, *arguments):
        key = function, n_threads, pickle.dumps((states, arguments))
        if key not in known:
            found = simulate(function, states, n_threads, *arguments)
            known[key] = pickle.dumps((found, states))
        found, after = pickle.loads(known[key])
        states[:] = after
        return found

    return remembered


def remembering(simulate):
    """Return a simulation with a memory: what it finds depends on its arguments alone."""
    known = {}

    def remembered(*arguments):
        key = pickle.dumps(arguments)
        if key not in known:
            known[key] = simulate(*arguments)
        return known[key].copy()

    return remembered


@contextmanager
def simulated_once():
    """Give every module that runs kernels the same memory."""
    remembered = once()
    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.startswith("simulations.") and getattr(module, "in_chunks", None) is in_chunks:
                patch.setattr(module, "in_chunks", remembered)
        yield
