"""Simulations and measurements that could refute the theory, and the ``kondo`` command.

Read from the ground up: ``randomness`` and ``results``, then ``bandits``, ``gambling`` and ``tokens`` (kernels, no
torch), ``networks`` with ``mnist`` and ``reversal`` (torch), then ``sweeps``, ``benchmark``, ``verification``,
``report`` and ``cli`` on top. Each package's head says what lives there, what it may import and what it must never
know; ``tests/test_architecture.py`` holds it.
"""
