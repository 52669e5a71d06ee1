"""No chain of names ends in an else: a new name is refused by name, never treated as if it were another."""

from types import MappingProxyType

import numpy as np
import pytest
import torch

from kondo_theory import approximate, cost
from kondo_theory.contexts import allocation
from kondo_theory.gambling import equal_noise as gambling_equal_noise
from kondo_theory.gambling import single_arm
from kondo_theory.geometry import learning, symmetric
from kondo_theory.screening import SAMPLE_RULES
from kondo_theory.screening import rules as screening_rules
from kondo_theory.token_trap import drifts
from paper_figs.bandits.geometry import _weights as geometry_weights
from paper_figs.style import method_style
from simulations.bandits import contexts as bandit_contexts
from simulations.bandits import kept_batches
from simulations.bandits.kept_batches import Setting, claimed_order, kept_by_arm
from simulations.bandits.many_contexts import spread_population
from simulations.bandits.noisy_delight import noisy_batches
from simulations.bandits.reference import _advantage
from simulations.gambling.gamble import _GATE_CODES, Gamble
from simulations.mnist import config as mnist
from simulations.mnist.config import MnistConfig
from simulations.mnist.screeners import NoisyDelight
from simulations.networks import image_bandits
from simulations.networks.moments import NetworkMoments
from simulations.reversal import config as reversal_config
from simulations.reversal import objectives as reversal_objectives
from simulations.reversal import training as reversal
from simulations.reversal.config import ReversalConfig
from simulations.reversal.scaling import Search
from simulations.sweeps.cells.bandits.additive import top_failures
from simulations.sweeps.cells.bandits.contexts import context_cosine
from simulations.sweeps.cells.bandits.learning import learning_time
from simulations.sweeps.cells.bandits.moments import _closed_form
from simulations.sweeps.cells.bandits.noise import noisy_delight
from simulations.sweeps.cells.bandits.screening import screening as screening_cell
from simulations.sweeps.cells.tokens.rows import baseline_value
from simulations.sweeps.cells.tokens.trap import stalling
from simulations.tokens import ranking
from simulations.tokens.keeps import keep_patterns
from simulations.tokens.simulation import TokenGate
from simulations.verification.checks.mnist.approximate import _rows_of

NEW = "made-up"
AT = Setting(10, 0.3, 0.25, 0.5)


def negative_advantage(advantage, surprisal, entropy):
    return -advantage


@pytest.fixture
def registered(monkeypatch):
    """A made-up rule is registered where the others are."""
    rules = MappingProxyType({**SAMPLE_RULES, NEW: negative_advantage})
    monkeypatch.setattr(screening_rules, "RULES", rules)
    for module in (image_bandits, mnist):
        monkeypatch.setattr(module, "SAMPLE_RULES", rules)
    monkeypatch.setattr(reversal_config, "RULES_OF", dict.fromkeys(reversal_config.RULES_OF, rules))


def test_the_kept_batches_claim_nothing_of_a_new_rule(registered):
    kept = kept_by_arm(AT, NEW, 0.1, 4, 50, np.random.default_rng(0))  # it is simulated as itself …
    assert kept[:, 0].sum() == 0
    with pytest.raises(ValueError, match=r"rule 'made-up' is not treated here: only delight, advantage, .*additive"):
        claimed_order(NEW, AT)  # … and nothing is predicted of it


def test_a_sweeps_cell_claims_nothing_of_a_new_rule(registered):
    with pytest.raises(ValueError, match="'made-up'"):
        screening_cell(rule=NEW, rate=0.1, p_correct=0.3, n_batches=2)


def test_a_kernel_takes_a_new_rule_for_no_other(registered, monkeypatch):
    with pytest.raises(ValueError, match=r"rule must be one of delight, .*, got 'made-up'"):
        TokenGate("token", 0.1, NEW)
    with pytest.raises(ValueError, match="no such rule"):
        ranking.score.py_func(len(ranking.RULE_CODES), 1.0, 1.0, 1.0, (0.0, 1.0))


def test_every_rule_has_a_claim_a_code_and_a_style():
    assert set(kept_batches._CLAIMED) == set(SAMPLE_RULES) == set(ranking.RULE_CODES)
    for rule in SAMPLE_RULES:
        assert claimed_order(rule, AT) in ("correct-first", "wrong-first", "tie", "correct-only")
        assert method_style(rule)


def test_a_new_rule_is_trained_and_weighed_as_itself(registered):
    bandits = image_bandits.ImageBandits.of(torch.zeros(2, 3), torch.tensor([0, 1]))
    np.testing.assert_array_equal(bandits.score(NEW), -bandits.advantage)
    assert MnistConfig("screen", rate=0.1, rule=NEW).label == "made-up(10 %)"


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        (single_arm, "GATES", lambda: single_arm.drift(0.1, 1.0, NEW)),
        (gambling_equal_noise, "GATES", lambda: gambling_equal_noise.equal_noise_drift(0.1, 1.0, NEW)),
        (symmetric, "METHODS", lambda: symmetric.SymmetricContext.of(0.5, 3, 0.2).weights(NEW)),
        (allocation, "METHODS", lambda: allocation.context_weights(NEW, 0.5, 3, 0.2)),
        (learning, "METHODS", lambda: learning.learning_time(NEW, 3, 0.9, 0.5)),
        (approximate, "NOISES", lambda: approximate.noisy_keep(1.0, 0.5, NEW)),
        (cost, "ACCOUNTINGS", lambda: cost.step_cost(0.1, 2.0, NEW)),
        (drifts, "GATES", lambda: drifts.drift(0.5, 10, 2, 0.1, NEW)),
        (bandit_contexts, "GATES", lambda: bandit_contexts.Gate(NEW).arm_weights(np.ones(3))),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_name_that_is_registered_alone_is_refused(monkeypatch, owner, name, call):
    with pytest.raises(ValueError, match=NEW):
        call()
    monkeypatch.setattr(owner, name, (*getattr(owner, name), NEW))
    with pytest.raises(ValueError, match=f"'{NEW}' is not treated here: only|{NEW}"):
        call()


def test_a_method_without_an_objective_does_not_train_as_another(monkeypatch):
    monkeypatch.setitem(reversal_config.METHODS, NEW, "new")
    run = reversal.ReversalRun(ReversalConfig(NEW, length=2, prompts=2, answers=2), torch.device("cpu"))
    with pytest.raises(ValueError, match="method 'made-up' is not treated here: only pg, dg, token-gate, row"):
        run.train_batch()
    monkeypatch.setitem(mnist.METHODS, NEW, "new")
    with pytest.raises(ValueError, match="method 'made-up' is not treated here: only pg, dg, dg-k"):
        MnistConfig(NEW)


def test_a_reward_without_points_is_refused(monkeypatch):
    monkeypatch.setattr(reversal_objectives, "REWARDS", {**reversal_objectives.REWARDS, NEW: "new"})
    tokens = torch.zeros(1, 2, dtype=torch.int64)
    with pytest.raises(ValueError, match="reward must be one of fraction, prefix, exact, bag, got 'made-up'"):
        reversal_objectives.points(tokens, tokens, NEW)


def test_a_screeners_noise_of_a_new_kind_is_refused():
    noisy = NoisyDelight("additive", 0.1, [0], torch.device("cpu"))
    noisy.kind = NEW
    with pytest.raises(ValueError, match="kind 'made-up' is not treated here"):
        noisy.delight(torch.ones(1, 2))


def test_moments_of_a_new_kind_are_refused():
    network = object.__new__(NetworkMoments)
    network.bandits = image_bandits.ImageBandits.of(torch.zeros(2, 3), torch.tensor([0, 1]))
    weighting = image_bandits.Weighting("rate", 0.1)
    object.__setattr__(weighting, "kind", NEW)
    with pytest.raises(ValueError, match="kind 'made-up' is not treated here"):
        network.weights(weighting)


@pytest.mark.parametrize(
    "call",
    [
        lambda: keep_patterns(np.random.default_rng(0), 2, 3, 0.1, 0.5, NEW),
        lambda: spread_population(0.0, 1.0).baselines(NEW),
        lambda: _advantage(np.full((1, 2), 0.5), NEW),
        lambda: noisy_batches(0.3, 3, 0.5, 0.0, 0.1, NEW, 2, 2, 2, 0),
        lambda: Gamble(1.0, NEW),
        lambda: baseline_value(NEW, 0.5, 0.3, 3),
        lambda: _closed_form(NEW, 0.3, 3, 0.5, 1.0, 0.0, 0.1, 10),
        lambda: top_failures(rule=NEW, log_odds=0.0, n_batches=2),
        lambda: context_cosine(method=NEW, n_samples=2),
        lambda: context_cosine(method="pg", baseline=NEW, n_samples=2),
        lambda: learning_time(method="pg", n_arms=3, baseline=NEW, p_end=0.5),
        lambda: noisy_delight(kind=NEW, noise=0.1),
        lambda: stalling(vocab_size=2, n_tokens=3, gate=NEW),
        lambda: method_style(NEW),
        lambda: geometry_weights(NEW, np.ones(2), np.ones(2)),
        lambda: _rows_of(NEW, None, ""),
        lambda: Search(ReversalConfig("pg"), NEW)._resized(3),
        lambda: mnist.preset_configs(NEW, []),
        lambda: reversal_config.preset_configs(NEW, []),
        lambda: kept_by_arm(AT, NEW, 0.1, 1, 5, np.random.default_rng(0)),
    ],
)
def test_an_unknown_name_is_a_value_error_that_names_it_and_what_is_allowed(call):
    with pytest.raises(ValueError, match=r"made-up.*(is not treated here: only|$)"):
        call()


def test_the_codes_of_gates_are_those_of_the_kernels():
    assert set(_GATE_CODES) == {"pg", "dg", "zero-price", "rate", "extremes", "margin", "second-draw"}
