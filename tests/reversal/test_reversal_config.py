"""Configurations of token reversal: which are refused, presets, labels."""

import math
from dataclasses import replace

import pandas as pd
import pytest
from tiny_runs import EVERY_METHOD

from kondo_theory.gate import Gate
from simulations.networks.transformer import Architecture
from simulations.reversal.config import PRESETS, QUALITY_METHODS, ReversalConfig, preset_configs
from simulations.reversal.training import tidy
from simulations.verification.checks.labels import method_of


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "reinforce"}, "method must be one of pg, dg, .*, got 'reinforce'"),
        ({"method": "pg", "reward": "joy"}, "reward must be one of fraction, prefix, exact, bag, got 'joy'"),
        ({"method": "token-gate"}, "needs either a rate or a price.* token-gate with rate None and price None"),
        ({"method": "row-gate", "rate": 0.1, "price": 0.0}, "either a rate or a price"),
        ({"method": "pg", "rate": 0.1}, "no other method takes one: got pg with rate 0.1"),
        ({"method": "token-gate", "rate": 1.5}, r"rate must be in \(0, 1\], got 1.5"),
        ({"method": "token-gate", "rate": 0.1, "rule": "joy"}, "rule must be one of delight, .*, got 'joy'"),
        ({"method": "row-gate", "rate": 0.1, "rule": "idle-visits"}, "rule must be one of .*, got 'idle-visits'"),
        ({"method": "token-gate", "rate": 0.1, "rule": "max-variance"}, "token-gate ranks by .*, got rule 'max-var"),
        ({"method": "row-gate", "rate": 0.1, "rule": "probability"}, "row-gate ranks by .*, got rule 'probability'"),
        ({"method": "pg", "rule": "group-spread"}, "belongs to a gate at a rate, got group-spread"),
        ({"method": "token-gate", "price": 0.0, "rule": "uniform"}, "belongs to a gate at a rate, got uniform"),
        ({"method": "pg", "temperature": 1.0}, "a temperature belongs to dg and to a gate, got 1.0 with pg"),
        ({"method": "row-gate", "rate": 0.1, "temperature": -1.0}, "temperature must be finite .*, got -1.0"),
        ({"method": "token-gate", "price": 0.0, "temperature": -1.0}, "temperature must be finite .*, got -1.0"),
        ({"method": "token-gate", "price": math.nan}, "price must be a number, got nan"),
        ({"method": "dg", "temperature": 0.0}, "temperature of dg must be finite and above 0, got 0.0"),
        ({"method": "pg", "length": 0}, "length must be at least 1, got 0"),
        ({"method": "pg", "vocab_size": 0}, "vocab_size must be at least 1, got 0"),
        ({"method": "pg", "answers": 1}, "answers must be at least 2, got 1"),
        ({"method": "pg", "updates": 0}, "updates must be at least 1, got 0"),
        ({"method": "pg", "seed": -1}, "seed must be at least 0, got -1"),
        ({"method": "pg", "learning_rate": math.nan}, "learning_rate must be above 0, got nan"),
        ({"method": "pg", "epochs": 2}, "epochs, at least 1, belong to ppo and pmpo, got pg with 2"),
        ({"method": "ppo", "epochs": 0}, "epochs, at least 1, belong to ppo and pmpo, got ppo with 0"),
        ({"method": "ppo", "clip": 1.0}, r"clip must be in \(0, 1\), got 1.0"),
        ({"method": "pmpo", "alpha": 1.5}, r"alpha must be in \[0, 1\], got 1.5"),
        ({"method": "pmpo", "beta": -0.1}, "beta must be at least 0, got -0.1"),
        ({"method": "ppo", "divergence": -0.1}, "divergence must be at least 0, got -0.1"),
        ({"method": "pg", "divergence": 0.1}, "a divergence belongs to ppo, got 0.1 with pg"),
        ({"method": "pg", "baseline": "none"}, "baseline must be one of mean, leave-one-out, .*, got 'none'"),
    ],
)
def test_bad_configurations_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ReversalConfig(**settings)


def test_sizes_that_are_not_integers_are_refused():
    with pytest.raises(TypeError, match=r"length must be an integer, got 2\.5"):
        ReversalConfig("pg", length=2.5)


def test_presets_change_sizes_and_nothing_else():
    for preset, size in PRESETS.items():
        configs = preset_configs(preset, QUALITY_METHODS)
        assert len(configs) == len(set(configs)) == size.seeds * len(QUALITY_METHODS)
        assert {replace(config, seed=0, updates=1_000) for config in configs} == set(QUALITY_METHODS)
    assert [config.seed for config in preset_configs("quick", QUALITY_METHODS[:1], seeds=[7, 3])] == [7, 3]


def test_labels():
    assert len({config.label for config in EVERY_METHOD}) == len(EVERY_METHOD)
    labels = [config.label for config in EVERY_METHOD[:10]]
    assert labels[:5] == ["PG", "DG", "zero-price", "row gate(3 %)", "row gate(3 %, advantage)"]
    assert labels[5:8] == ["token gate(3 %)", "PPO", "PMPO"]
    assert labels[8:] == ["token gate(λ=0.01, η=0.1)", "zero-price rows"]


def test_a_soft_gate_at_a_rate_is_that_of_algorithm_1():
    soft = ReversalConfig("row-gate", rate=0.03, rule="advantage", temperature=0.5)
    assert soft.gate == Gate(rate=0.03, temperature=0.5, calibrated=False)
    assert soft.label == "row gate(3 %, advantage, η=0.5)"
    assert method_of(soft.label) == {"method": "row gate", "ρ": 0.03, "rule": "advantage", "η": 0.5}
    hard = ReversalConfig("row-gate", rate=0.03, temperature=0.0)
    assert (hard.gate, hard.label) == (Gate(rate=0.03), "row gate(3 %)")


def test_labels_say_what_is_not_the_protocols():
    other = {"baseline": "leave-one-out", "network": Architecture(final_norm=False, head="default")}
    config = ReversalConfig("ppo", divergence=0.5, **other)
    assert config.label == "PPO(β=0.5), leave-one-out baseline, no final norm, default head"
    assert method_of(config.label) == {
        "method": "PPO", "β": 0.5, "b": "leave-one-out", "final norm": "none", "head": "default",
    }  # fmt: skip
    assert ReversalConfig("ppo", epochs=1).label == "PPO(1 epochs)"


def test_a_table_has_columns_of_the_protocol_where_a_run_has_another():
    curve = pd.DataFrame({"update": [0]})
    plain, other = ReversalConfig("pg"), ReversalConfig("pg", network=Architecture(final_norm=False))
    added = ["baseline", "divergence", "task", "final_norm", "head"]
    assert not set(added) & set(tidy([plain], [curve]))
    assert tidy([plain, other], [curve, curve])[added].to_numpy().tolist() == [
        ["mean", 0.0, "reverse", True, "zero"], ["mean", 0.0, "reverse", False, "zero"],
    ]  # fmt: skip
