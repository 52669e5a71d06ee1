"""docs/comparison.md: the page is what the tables and closed forms say, and its sentences hold."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kondo_theory.estimators import ESTIMATORS, Estimator
from kondo_theory.screening import GROUP_RULES, RULES, ScreeningRule, answer_signal
from kondo_theory.token_trap import stalling_temperatures
from kondo_theory.token_trap.positions import Positions, percentile_drifts, position_drifts
from simulations.report import compared, comparison, findings
from simulations.report.compared import measured_moments, reversal_errors
from simulations.results.tables import COMMITTED, load

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "comparison.md").read_text(encoding="utf-8")
STALLS = {"selective-backprop": "0.27", "selective-backprop-surprisal": "none", "DG": "none", "zero-price": "none"}
"""Of estimates with a bias; :func:`test_stalls_of_estimates_are_there_and_nowhere_before` looks."""


@pytest.fixture(scope="module")
def moments():
    return measured_moments(load(COMMITTED / "mnist-neighbours-quick.parquet", kind="mnist-neighbours").frame)


def stalls():
    """Where rules stall as docs/rules.md has it, which is held against the closed forms in its own test."""
    text = (DOCS / "rules.md").read_text(encoding="utf-8").partition("## Which stall")[2]
    rows = [
        [cell.strip(" `") for cell in line.split("|")[1:5]] for line in text.splitlines() if line.startswith("| `")
    ]
    found = {name: " / ".join(cells).replace("–", "none") for name, *cells in rows}
    return found | {name: "none" for name, each in ESTIMATORS.items() if each.unbiased} | STALLS


def test_the_page_is_what_the_tables_say(moments):
    renew = "python -m simulations.report.comparison > docs/comparison.md"
    assert comparison.comparison(moments, reversal_errors(), stalls()) == PAGE, renew


def test_every_rule_and_estimate_is_on_the_page_and_says_what_it_needs():
    for name, rule in RULES.items():
        start = f"| `{name}` | {rule.granularity} | {', '.join(rule.inputs) or '–'} | {rule.source} |"
        assert PAGE.count(start) == 1, name
    for name, estimator in ESTIMATORS.items():
        assert PAGE.count(f"| `{name}` | sample | {', '.join(estimator.inputs) or '–'} |") == 1, name
        assert f"* `{name}`: {estimator.what}." in PAGE


def test_negative_control_what_is_registered_anew_is_on_another_page(moments, monkeypatch):
    new = {**RULES, "made-up": ScreeningRule(abs, ("history",), "token")}
    monkeypatch.setattr(comparison, "RULES", new)
    estimates = {**ESTIMATORS, "made-up-too": Estimator(abs, (), "nothing")}
    monkeypatch.setattr(comparison, "ESTIMATORS", estimates)
    page = comparison.comparison(moments, reversal_errors(), stalls())
    assert page != PAGE
    assert "| `made-up` | token | history | – | – |" in page
    assert "| `made-up-too` | sample | – | here | – |" in page


def test_a_sentence_that_says_what_is_best_is_true(moments):
    """What the first lines claim of the order; their numbers are computed."""
    at = moments.mean["per_backward"].unstack("target")
    gates = at.xs(0.03, level="rate")
    assert set(gates.index[(gates > 1.2).all(axis=1)]) == {"length-weighted", "winner-take-all"}
    assert all(ESTIMATORS[name].unbiased for name in ("length-weighted", "winner-take-all"))
    assert (gates.max() > gates.loc["length-weighted"]).sum() >= 3
    three = at[np.isin(at.index.get_level_values("rate"), (0.0, 0.03))].droplevel("rate")
    assert (three.loc["zero-price", [0.0, 0.5]] > 7).all()
    assert moments.mean["cosine"].loc[("zero-price", 0.0, 0.5)] > 0.99
    assert three.loc["delight", 0.8] < 1 < three.loc["delight"].drop(0.8).min()
    assert three.loc["abs-advantage", 0.8] < 1
    assert moments.error["per_backward"].loc[("delight", 0.03, 0.0)] > 2
    assert (three.loc["delight"] < three.max()).sum() >= 3
    assert three.loc["gate-weighted", 0.95] < 0.01


def test_what_is_said_of_forward_passes_is_true(moments):
    forward = moments.mean["per_forward"].unstack("target")
    assert (forward.xs(0.03, level="rate") < 1).all(axis=None)
    best = forward[0.95][np.isin(forward.index.get_level_values("rate"), (0.0, 0.03))]
    assert best.idxmax() == ("PG-best-baseline", 0.0)
    assert forward.loc[("PG-best-baseline", 0.0), [0.0, 0.5]].to_numpy() == pytest.approx(1, abs=0.01)
    assert not {*RULES["uniform"].inputs, *ESTIMATORS["uniform-weighted"].inputs}


def test_the_length_along_the_gradient_ranks_delight_and_surprisal_the_other_way(moments):
    """As claim mnist-screening measures it, S/ρ."""
    late = {name: moments.mean.loc[(name, 0.03, 0.95)] for name in ("delight", "surprisal")}
    assert late["surprisal"]["along"] > 2 * late["delight"]["along"]
    assert late["surprisal"]["per_backward"] < late["delight"]["per_backward"]


def test_a_group_counts_one_over_the_cost_of_signal():
    rewards, chances = [0.0, 1.0], [0.7, 0.3]
    one, chance = (answer_signal(name, rewards, chances, 16, 4) for name in ("advantage", "uniform"))
    per_backward = [float(each.signal**2 / (each.n_kept * each.square)) for each in (one, chance)]
    assert compared.worth_in_a_group("advantage", 0.3) == pytest.approx(per_backward[0] / per_backward[1], rel=1e-12)
    assert compared.worth_in_a_group("uniform", 0.3) == 1
    assert compared.worth_in_a_group("abs-advantage", 0.7) == pytest.approx(
        compared.worth_in_a_group("abs-advantage", 0.3), rel=1e-9
    )
    assert compared.worth_in_a_group("advantage", 0.7) < 1 < compared.worth_in_a_group("max-variance", 0.7)


def test_wrong_tokens_are_those_of_the_rules_that_are_named(moments):
    names = {"abs-advantage": 0.01, "delight": 0.02, "uniform": 0.3, "positive-surprisal": 0.5}
    answers = [{"rule": name, "level": "answer", "error": error} for name, error in names.items()]
    tokens = [
        {"rule": "delight", "level": "token", "error": 0.4},
        {"rule": "abs-advantage", "level": "token", "error": 0.06},
    ]
    errors = pd.DataFrame(answers + tokens).assign(rate=0.03, seed=0)
    assert "After training 40 % and 6 % of the tokens are wrong" in findings.learnt(errors)
    assert "1 %, 2 %, 30 % and 50 % are wrong by |advantage|, delight, at random" in findings.learnt(errors)
    assert not findings.learnt(errors.assign(rate=0.2))
    assert not findings.learnt(errors[errors["rule"] != "uniform"])


def test_moments_are_those_of_pg_on_the_same_path(moments):
    frame = load(COMMITTED / "mnist-neighbours-quick.parquet").frame
    rows = frame[(frame["direction"] == "PG") & (frame["target"] == 0.95)].set_index(["name", "seed"])
    of = rows[rows["rate"].isna() | (rows["rate"] == 0.03)]
    ratios = of.loc["delight", "per_backward"] / of.loc["PG", "per_backward"]
    place = ("delight", 0.03, 0.95)
    assert moments.mean["per_backward"].loc[place] == pytest.approx(ratios.mean(), rel=1e-12)
    assert moments.error["per_backward"].loc[place] == pytest.approx(ratios.std() / np.sqrt(5), rel=1e-12)
    noise = of["var_perpendicular"] / of["backward_rate"]
    expected = (noise.loc["delight"] / noise.loc["PG"]).mean()
    assert moments.mean["noise"].loc[place] == pytest.approx(expected, rel=1e-12)
    assert moments.paths == 5


def test_stalls_of_estimates_are_there_and_nowhere_before():
    def up(p, rule):
        return percentile_drifts([Positions(10, p)], 10, 1 / compared.RATE - 1, rule)[0] > 0

    stall = float(STALLS["selective-backprop"])
    assert up(stall - 0.01, "delight")
    assert not up(stall + 0.01, "delight")
    assert all(up(p, "delight") for p in (0.12, 0.2, 0.25))
    assert all(up(p, "surprisal") for p in np.linspace(0.11, 0.97, 20))
    assert not [low for low, high in stalling_temperatures(10, 10) if low <= 1 <= high]
    kept = [position_drifts([Positions(10, p)], 10, 1.0, "positive-advantage")[0] for p in (0.11, 0.3, 0.6, 0.95)]
    assert min(kept) > 0


def test_runs_on_token_reversal_are_medians_and_ranges_by_level(moments):
    errors = pd.DataFrame(
        [
            {"rule": "max-variance", "level": "answer", "rate": 0.2, "seed": seed, "error": error}
            for seed, error in enumerate((0.01, 0.5, 0.03))
        ]
        + [{"rule": "max-variance", "level": "prompt", "rate": 0.5, "seed": 0, "error": 0.25}]
    )
    page = comparison.comparison(moments, errors, stalls())
    assert "| answers, 20 %: 3 (1–50); prompts, 50 %: 25 (25–25) |" in page
    assert "After training" not in page
    assert page.count("answers, 20 %") == 1
    none = comparison.comparison(moments, errors.iloc[:0], stalls())
    assert all(
        line.endswith("| – |") for line in none.splitlines() if re.match(r"\| `[a-z-]+` \| (token|answer)", line)
    )


def test_rules_that_mnist_has_not_say_what_they_need():
    rows = {
        name: next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")) for name in GROUP_RULES
    }
    needs = {name: re.search(r"needs ([a-z ]+) \|", row).group(1) for name, row in rows.items()}
    assert needs == {
        "max-variance": "a group of answers",
        "off-policy-mask": "a reference policy",
        "group-spread": "groups of answers",
        "idle-visits": "a history",
    }


def test_numbers_have_two_digits():
    shown = [findings.number(value) for value in (17.4, 1.04, 0.994, 0.0451, 43210.0, 2e-5, 0.0, np.nan, -0.31)]
    assert shown == ["17", "1.0", "0.99", "0.045", "43,000", "<0.001", "0", "–", "−0.31"]
