"""Made-up tables of the grid of protocols, in which the published errors appear where a test says so."""

from dataclasses import replace
from functools import cache

import pandas as pd

from simulations.reversal.protocols import CELLS, PROTOCOLS, cell_protocol
from simulations.reversal.training import tidy

EVERY = tuple(dict.fromkeys(map(cell_protocol, CELLS)))
"""All protocols, those of DG alone too."""
PUBLISHED = {"PG": 0.6, "PPO": 0.3, "PMPO": 0.1, "DG": 1e-4, "token gate(3 %)": 1e-4}
ERRORS = ("greedy_sequence_error", "token_error", "greedy_token_error", "prefix_error", "greedy_prefix_error")


def world(errors_of, protocols=PROTOCOLS[1:4], updates=(0, 50, 100, 150, 200), seeds=(0, 1)):
    """A table of the study in which ``errors_of(protocol, update)`` gives the sequence error of each method."""
    table, runs = flat_world(tuple(protocols), updates, seeds)
    errors = [errors_of(cell_protocol(run), update).get(run.name, 0.9) for run in runs for update in updates]
    return table.assign(sequence_error=errors)


@cache
def flat_world(protocols, updates, seeds):
    """The table without sequence errors and with no other error, and its runs; made once, for its runs are many."""
    runs = [replace(cell, seed=seed) for cell in CELLS if cell_protocol(cell) in protocols for seed in seeds]
    curve = pd.DataFrame({"update": updates, **dict.fromkeys(ERRORS, 0.0)})
    plain = curve.drop(columns=["prefix_error", "greedy_prefix_error"])  # as training writes it
    return tidy(runs, [curve if run.reward == "prefix" else plain for run in runs]), runs


def published_under(protocol, others=None):
    return lambda each, update: PUBLISHED if each == protocol else (others or dict.fromkeys(PUBLISHED, 0.02))
