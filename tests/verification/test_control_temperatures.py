"""The claims on the temperature hold where theory or tables say so; wrong gates, formulas and tables do not."""

from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.claims.temperature import _PREDICTED
from kondo_theory.gate import Gate
from kondo_theory.geometry.quantile_gate import soft_gain
from simulations.mnist.steps.temperatures import CONTENDERS
from simulations.reversal.studies import STUDIES
from simulations.reversal.tables import Curves
from simulations.verification.checks import Context
from simulations.verification.checks.temperatures import quantile_gate as checks
from simulations.verification.checks.temperatures.training import answer_rows, image_rows, share_rows
from simulations.verification.verify import judge

SMOKE = Context("smoke", "cpu", 2, lambda _: None)
SIZES = {"updates": 3_000, "seeds": 3}
PARTS = {"_shares", "_exponential", "_costs", "_directions"}


def images(errors=(), kept=()):
    """A table of MNIST in which every error is 4 % and every share as predicted, but for what is changed."""
    rows = []
    for config in CONTENDERS:
        share = dict(kept).get(config.label, np.mean(_PREDICTED.get(config.label, (config.rate or 1.0,))))
        for seed in range(3):
            for update in (1_000, 2_000, 3_000):
                error = dict(errors).get(config.label, 4.0) / 100 + seed * 1e-4
                spent = {"forward_samples": 100 * update, "backward_samples": round(100 * update * share)}
                named = {"label": config.label, "seed": seed, "update": update, "test_error": error}
                rows.append(named | {"method": config.method, "rate": config.rate} | spent)
    return pd.DataFrame(rows)


def answers(errors=()):
    """A table of token reversal in which every gate ends at 1 % and DG is as fast at any temperature."""
    rows = []
    for config in STUDIES["temperature"].methods:
        end = dict(errors).get(config.label, 1.0) / 100
        for seed in range(2):
            for update in range(0, 401, 50):
                task = {"vocab_size": 2, "length": 10, "reward": "fraction", "learning_rate": 3e-4}
                named = {"label": config.label, "method": config.method, "rate": config.rate, "rule": config.rule}
                spent = {f"{way}_{of}": 100 * update for way in ("forward", "backward") for of in ("tokens", "rows")}
                error = 0.5 if update < 100 else end
                rows.append(named | task | {"seed": seed, "update": update, "token_error": error} | spent)
    return Curves(pd.DataFrame(rows).assign(origin="a made-up table"))


@cache
def simulated():
    return tuple(checks.quantile_bernoulli_gate(SMOKE))


def of_gate(rows, kept=()):
    measured = [replace(row, sizes=SIZES) for row in share_rows(images(kept=kept), "test")]
    return judge(CLAIMS["quantile-bernoulli-gate"], True, list(rows), measured)


def robust(errors=(), on_answers=()):
    rows = [replace(row, sizes=SIZES) for row in image_rows(images(errors), "test")]
    rows += answer_rows(answers(on_answers))
    return judge(CLAIMS["temperature-robustness"], None, [], rows)


def test_simulation_and_predicted_shares_agree():
    assert len({row.quantity for row in simulated()}) == len(simulated()) > 25
    assert of_gate(simulated())[0] == CLAIMS["quantile-bernoulli-gate"].success


@pytest.mark.control("quantile-bernoulli-gate")
@pytest.mark.parametrize(
    ("part", "options"),
    [
        ("_shares", {"drawn": lambda rate, eta: Gate(rate=rate, temperature=eta)}),
        ("_exponential", {"drawn": lambda rate, eta: Gate(rate=rate, temperature=eta)}),
        ("_shares", {"closed": lambda p, K, b, rate, eta: SimpleNamespace(share=rate)}),
        ("_costs", {"gain": lambda *context: -soft_gain(*context)}),
        ("_costs", {"gain": lambda *context: np.float64(-1.0)}),
    ],
    ids=["a calibrated price", "a calibrated price, cold", "the rate itself", "the other sign", "never"],
)
def test_negative_control_other_gates_and_formulas_contradict(monkeypatch, part, options):
    for other in PARTS - {part}:  # what the change does not touch need not run
        monkeypatch.setattr(checks, other, lambda *rest: [])
    monkeypatch.setattr(checks, "COSTS", checks.COSTS[:1])
    assert of_gate(checks.quantile_bernoulli_gate(SMOKE, **options))[0] == "contradicted"


@pytest.mark.control("quantile-bernoulli-gate")
@pytest.mark.parametrize("label", list(_PREDICTED))
def test_negative_control_a_share_that_is_the_rate_contradicts(label):
    rate = next(config.rate for config in CONTENDERS if config.label == label)
    found, reason = of_gate(simulated(), kept={label: rate}.items())
    assert found == "contradicted"
    assert f"share kept, {label}" in reason


def test_where_nothing_moves_the_errors_are_robust():
    assert robust()[0] == CLAIMS["temperature-robustness"].success


@pytest.mark.control("temperature-robustness")
@pytest.mark.parametrize("label", ["DG(η=0.3)", "DG(η=3)", *(f"DG-K(3 %, η={eta:g})" for eta in (0.1, 0.3, 1.0))])
def test_negative_control_an_error_on_mnist_that_moves_fails(label):
    for error in (2.5, 5.5):
        found, reason = robust(errors=((label, error),))
        assert found == "fails"
        assert f"final test error, {label}" in reason


@pytest.mark.control("temperature-robustness")
@pytest.mark.parametrize(
    ("label", "error"),
    [("DG(η=0.3)", 30.0), ("DG(η=3)", 30.0), *((f"token gate(3 %, η={eta:g})", 3.0) for eta in (0.1, 0.3, 1.0))],
)
def test_negative_control_an_error_on_answers_that_moves_fails(label, error):
    found, reason = robust(on_answers=((label, error),))
    assert found == "fails"
    assert label in reason


def test_methods_of_unlike_seeds_are_compared_at_those_that_both_have():
    found = answers()
    frame = found.frame
    few = frame[(frame["label"] != "DG(η=3)") | (frame["seed"] == 0)]
    more = frame[frame["label"] == "DG"].assign(seed=frame["seed"] + 100)
    rows = {row.quantity: row for row in answer_rows(replace(found, frame=pd.concat([few, more], ignore_index=True)))}
    assert rows["mean token error, DG(η=3) / DG"].seeds == 1
    everyone = {row.quantity: row for row in answer_rows(found)}
    assert rows["mean token error, DG(η=0.3) / DG"].value == everyone["mean token error, DG(η=0.3) / DG"].value


def test_the_untrained_policy_is_no_part_of_a_mean_error():
    found, name = answers(), "mean token error, DG(η=3) / DG"
    chosen = found.frame["label"] == "DG(η=3)"
    for update, moves in ((0, False), (50, True)):  # a control
        error = found.frame["token_error"].mask(chosen & (found.frame["update"] == update), 0.9)
        rows = answer_rows(replace(found, frame=found.frame.assign(token_error=error)))
        assert (next(row.value for row in rows if row.quantity == name) != pytest.approx(1.0)) == moves
