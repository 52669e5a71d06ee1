"""Windows about a price by hand, Gaussian error against drawn errors, and what the study cascade looks at."""

import math

import numpy as np
import pytest
import torch
from mnist_images import few_images

from kondo_theory.geometry.cascade import cascade_window, posterior_deviation
from simulations.mnist.cascade.study import CONTENDERS, EVALUATIONS, OFFSETS, WIDTHS, CascadeSize, rows_of, run
from simulations.mnist.cascade.study import score_cost as cost_of_score
from simulations.mnist.cascade.windows import found, near_price, predicted
from simulations.mnist.screeners import Distilled
from simulations.networks.mlp import PolicyMLP, StackedMLP

CPU = torch.device("cpu")
CHI = np.array([3.0, 2.5, 1.0, 0.5, 0.0, -1.0])
SCORE = np.array([2.6, 1.0, 2.4, 1.9, 2.1, -1.0])


def test_a_window_on_six_scores_by_hand():
    """At c = 2: the first two are worth a backward pass, and the score alone keeps the first, third and fifth."""
    recall, evaluated, missed, wasted = found(CHI, SCORE, 2.0, 2.0, 0.0)
    assert (recall, evaluated) == (0.5, 0.0)
    assert missed == pytest.approx(0.5 / 6 / 2)
    assert wasted == pytest.approx((1.0 + 2.0) / 6 / 2)
    recall, evaluated, missed, wasted = found(CHI, SCORE, 2.0, 2.0, 0.5)  # the third, fourth and fifth are evaluated
    assert (recall, evaluated, wasted) == (0.5, 3 / 6, 0.0)
    assert missed == pytest.approx(0.5 / 6 / 2)
    assert found(CHI, SCORE, 2.0, 2.0, 1.5) == (1.0, 5 / 6, 0.0, 0.0)
    assert found(CHI, SCORE, 2.0, 2.5, 0.05) == (0.5, 0.0, pytest.approx(0.5 / 12), 0.0), "another price on scores"
    assert found(CHI, SCORE, 2.0, 1.5, 0.5).evaluated == 1 / 6, "the fourth; the second, at the edge, is outside"


def outcomes(noise, law=np.random.Generator.normal, width=0.3, price=1.7, draws=400):
    """Outcomes of drawn errors on fixed delights, (draws, 4), and the prediction."""
    rng = np.random.default_rng(5)
    chi = rng.exponential(size=500)
    seen = [found(chi, chi + 0.4 * law(rng, size=len(chi)), 1.5, price, width) for _ in range(draws)]
    return np.array(seen), np.array(predicted(chi, noise, 1.5, price, width))


def distance(seen, told):
    error = np.maximum(seen.std(0, ddof=1) / math.sqrt(len(seen)), 1e-12)  # without a window nothing is evaluated
    return np.abs(seen.mean(0) - told) / error


@pytest.mark.parametrize(("width", "price"), [(0.0, 1.5), (0.3, 1.7), (1.2, 1.5)])
def test_gaussian_error_is_what_drawn_errors_do_on_average(width, price):
    assert distance(*outcomes(0.4, width=width, price=price)).max() < 4


def test_negative_control_another_deviation_or_law_of_error_is_noticed():
    assert distance(*outcomes(0.44)).max() > 4
    heavy = distance(*outcomes(0.4, lambda rng, size: rng.standard_t(3, size) / math.sqrt(3)))
    assert heavy.max() > 4


def test_the_error_near_the_price_is_that_of_the_nearest_delights():
    rng = np.random.default_rng(3)
    chi = rng.uniform(0, 10, 40_000)
    near = np.abs(chi - 6) < 0.4
    for law, kurtosis in ((rng.normal, 0.0), (lambda size: rng.uniform(-1, 1, size) * math.sqrt(3), -1.2)):
        error = np.where(near, 0.3 + 0.2 * law(size=len(chi)), 9.0)
        law_found = near_price(chi, chi + error, 6.0, 0.05)  # those closer than a quarter, about
        n = 2_000
        assert abs(law_found.bias - 0.3) < 4 * 0.2 / math.sqrt(n)
        assert abs(law_found.noise - 0.2) < 4 * 0.2 / math.sqrt(2 * n)
        assert abs(law_found.kurtosis - kurtosis) < 4 * math.sqrt(24 / n)
    assert near_price(chi, chi + error, 6.0, 0.2).noise > 1, "the negative control takes in what is farther"


def test_rows_of_gaussian_delight_and_error_are_as_both_formulas_say():
    rng = np.random.default_rng(8)
    chi = rng.normal(size=60_000)
    rows = list(rows_of(chi, chi + 0.1 + 0.5 * rng.normal(size=len(chi)), 0.05))
    assert len(rows) == len(WIDTHS) + len(OFFSETS) - 1 + 1 + len(EVALUATIONS) + 1
    first = rows[0]
    assert (chi > first["cost"]).sum() == 0.03 * len(chi)
    assert first["noise"] == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(2 * 1_800))
    error = 4 * math.sqrt(0.25 / 1_800)  # of a share of the top 3 %
    for row in rows:
        for name in ("recall", "evaluated"):
            if not math.isnan(row[f"predicted_{name}"]):
                assert abs(row[name] - row[f"predicted_{name}"]) < error + 0.02, row
    windows = [row for row in rows if row["choice"] == "window"]
    assert [row["evaluation"] for row in windows] == [*EVALUATIONS, 0.05]
    by_hand = cascade_window(0.01 * first["cost"], first["deviation"], first["noise"])
    stretch = first["deviation"] ** 2 / posterior_deviation(first["deviation"], first["noise"]) ** 2
    assert windows[1]["width"] * first["noise"] == pytest.approx(
        float(by_hand) * stretch * (first["noise"] / first["deviation"]) ** 2
    )
    assert {row["offset"] for row in windows} == {next(row["offset"] for row in rows if row["choice"] == "price")}


def test_a_score_by_a_student_costs_its_pass_and_its_lessons():
    network = StackedMLP([PolicyMLP((784, 100, 100, 10), seed=0)])
    screener = Distilled(16, (784, 10), (1,), CPU)
    assert cost_of_score(screener, "distilled", network, 100) == pytest.approx(
        (12_704 + 0.2 * (89_400 + 12_704 + 2 * 12_704 - 784 * 16)) / 89_400
    )


def test_every_screener_looks_at_the_same_exactly_screened_policies():
    size = CascadeSize(2, (3, 6), 300)
    tables = [run(contender, size, few_images(), CPU) for contender in CONTENDERS]
    for table in tables:
        assert table["update"].unique().tolist() == [3, 6]
        assert not table.duplicated(["seed", "update", "choice", "evaluation", "offset", "width"]).any()
        assert table["test_error"].equals(tables[0]["test_error"])
        grid = table[(table["choice"] == "grid") & (table["offset"] == 0)]
        assert (grid.groupby(["seed", "update"])["recall"].diff().dropna() >= 0).all(), "wider windows find more"
    noise = [table.groupby("update")["noise"].median().iloc[-1] for table in tables]
    assert noise[2] > 5 * max(noise[:2]), "the small network's error is the largest"
