"""Made-up tables of the grid of protocols, in which the published errors appear where a test says so."""

from dataclasses import replace

import pandas as pd

from simulations.reversal.protocols.grid import CELLS, PROTOCOLS, cell_protocol
from simulations.reversal.training import tidy

PUBLISHED = {"PG": 0.6, "PPO": 0.3, "PMPO": 0.1, "DG": 1e-4, "token gate(3 %)": 1e-4}
ERRORS = ("sequence_error", "greedy_sequence_error", "token_error", "greedy_token_error")


def world(errors_of, protocols=PROTOCOLS[1:4], updates=(0, 50, 100, 150, 200), seeds=(0, 1)):
    """A table of the study in which ``errors_of(protocol, update)`` gives the sequence error of each method."""
    configs = [c for c in CELLS if cell_protocol(c) in protocols]
    configs = [replace(config, seed=seed) for config in configs for seed in seeds]
    curves = []
    for config in configs:
        errors = [errors_of(cell_protocol(config), update).get(config.name, 0.9) for update in updates]
        flat = dict.fromkeys(ERRORS, 0.0) | {"prefix_error": 0.0, "greedy_prefix_error": 0.0}
        curves.append(pd.DataFrame({"update": updates, **flat, "sequence_error": errors}))
    return tidy(configs, curves)


def published_under(protocol, others=None):
    return lambda each, update: PUBLISHED if each == protocol else (others or dict.fromkeys(PUBLISHED, 0.02))
