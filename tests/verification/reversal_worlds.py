"""Made-up tables of token reversal: worlds in which every prediction comes true, or which change one."""

from functools import cache

import numpy as np
import pandas as pd

from simulations.results.merging import MeasuredTables
from simulations.results.sources import Source
from simulations.reversal.studies import BELOW, STUDIES, Setting
from simulations.reversal.tables import Curves, with_shared
from simulations.reversal.training import tidy
from simulations.verification.checks import Context
from simulations.verification.checks.reversal.quality import predicted_reward

UPDATES = np.arange(0, 1_001, 50)
SURVIVE = {"token-gate": 0.15, "row-gate": 0.03}


def reward_of(config):
    """A world in which every prediction comes true."""
    setting = Setting(config.vocab_size, config.length, config.rate or 1.0)
    if config.method == "token-gate" and config.rate is not None and setting in BELOW:
        return predicted_reward(setting, config.rule) or (0.99 if "abs" in config.rule else 0.97)
    return 0.97


@cache
def curve_of(config, end, slope=0.0):
    """A learning curve that has reached ``end`` after 500 updates and then climbs by ``slope`` per 1,000."""
    start = 1 / config.vocab_size
    reward = start + (end - start) * np.minimum(UPDATES / 500, 1) + slope * np.maximum(UPDATES - 1_000, -500) / 1_000
    rows, tokens = 100 * UPDATES, 100 * config.length * UPDATES
    kept = tokens * (config.rate or 1.0)
    survive = SURVIVE.get(config.method, 1.0) if config.rate else 1.0
    return pd.DataFrame(
        {
            "update": UPDATES,
            "optimizer_steps": UPDATES,
            "forward_rows": rows,
            "forward_tokens": tokens,
            "backward_tokens": kept,
            "backward_rows": rows * survive,
            "processed_tokens": survive * 1.9 * tokens,
            "full_tokens": 1.9 * tokens,
            "sampling_flops": 10 * tokens,
            "screening_flops": 0,
            "training_flops": 57 * tokens * survive,
            "train_reward": np.where(UPDATES == 0, np.nan, reward),
            "token_error": np.where(reward >= 0.97, 0.2 * (0.995 - reward), 1 - reward),
            "sequence_error": np.where(reward >= 0.97, 0.05, 1 - reward**config.length),
            "greedy_token_error": 0.0,
            "greedy_sequence_error": 0.0,
        }
    )


def world(study, change=lambda config, end: curve_of(config, end)):
    configs = STUDIES[study].configs("quick")
    frame = tidy(configs, [change(config, reward_of(config)) for config in configs])
    return Curves.of(frame, Source("test"))


@cache
def true_world(study):
    """The world of a study in which every prediction comes true: whoever alters it makes a frame of his own."""
    return world(study)


def trap(change=lambda config, end: curve_of(config, end)):
    """The study token-trap, with the runs of it that study quality trains."""
    return with_shared(world("token-trap", change), "token-trap", lambda study: world(study, change))


def context(preset, tables=()):
    return Context(preset, "cpu", 1, lambda _: None, MeasuredTables(tables))
