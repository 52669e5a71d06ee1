"""The memory of simulations gives what a simulation gives, and simulates whatever differs."""

import numpy as np
from simulated_once import once

from simulations.gambling import gamble
from simulations.gambling.gamble import Gamble, simulate_drift
from simulations.randomness.streams import in_chunks, replicate_states


def counted():
    """``in_chunks`` with the list of its calls."""
    calls = []

    def simulate(*arguments):
        calls.append(arguments)
        return in_chunks(*arguments)

    return simulate, calls


def advance(states, by):
    states[:, 3] += np.uint64(by)
    return states[:, 0].copy()


def test_a_remembered_simulation_is_the_simulation_and_leaves_the_same_states():
    simulate, calls = counted()
    remembered = once(simulate)
    results, states = [], [replicate_states(1, 3) for _ in range(3)]
    for each, run in zip(states, (in_chunks, remembered, remembered), strict=True):
        results.append(run(advance, each, 1, 7))
    assert len(calls) == 1
    for found, after in zip(results, states, strict=True):
        assert np.array_equal(found, results[0])
        assert np.array_equal(after, states[0])
    results[1][:] = 0  # a caller may do with its own what it likes
    assert np.array_equal(remembered(advance, replicate_states(1, 3), 1, 7), results[0])


def test_whatever_differs_is_simulated(monkeypatch):
    simulate, calls = counted()
    monkeypatch.setattr(gamble, "in_chunks", once(simulate))
    usual = Gamble(1.0, "dg", 0.5), 0.3, 10, 2, 4, 5, 1
    for place, other in ((None, None), (0, Gamble(1.0, "zero-price")), (0, Gamble(1.1, "dg", 0.5)), (1, 0.31),
                         (2, 11), (3, 3), (4, 5), (5, 6), (6, 2)):  # fmt: skip
        simulate_drift(*(other if number == place else value for number, value in enumerate(usual)))
    assert len(calls) == 9
    simulate_drift(*usual)
    assert len(calls) == 9
