"""Moments of rules and estimates side by side, against brute force over every outcome and against draws."""

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.special import expit

from kondo_theory.estimators import ESTIMATORS, Samples, best_baseline, draws_variance
from kondo_theory.screening import RULES, score_function
from simulations.mnist.steps import neighbours
from simulations.networks.jacobians import NetworkJacobian
from simulations.networks.mlp import PolicyMLP
from simulations.networks.moments import NetworkMoments

RATE = 0.1


class Small:
    """Three images, three actions, a network of two layers in float64: all gradients by autograd."""

    def __init__(self):
        torch.manual_seed(0)
        policy = PolicyMLP((4, 3, 3), seed=3).double()
        with torch.no_grad():
            for parameter in policy.parameters():
                parameter.mul_(3)
        images, labels = torch.rand(3, 4, dtype=torch.float64), torch.tensor([0, 2, 1])
        self.jacobian = NetworkJacobian(policy, images)
        self.moments = NetworkMoments(self.jacobian, labels)
        logs = policy(images).log_softmax(-1)
        scores = [
            torch.cat([part.flatten() for part in torch.autograd.grad(each, policy.parameters(), retain_graph=True)])
            for each in logs.flatten()
        ]
        self.pi = logs.exp().detach().numpy()
        right = np.eye(3)[labels.numpy()]
        self.U = right - (self.pi**2).sum(-1, keepdims=True)
        self.mass = (self.pi / 3).ravel()
        self.score = torch.stack(scores).numpy()  # (9, P)
        self.g = self.U.ravel()[:, None] * self.score
        self.chi = (self.U * -np.log(self.pi)).ravel()
        self.size = np.abs(self.U).ravel() * np.linalg.norm(np.eye(3) - self.pi[:, None, :], axis=-1).ravel()
        self.right = right
        self.true = self.mass @ self.g

    def top(self, score, rate=RATE):
        """Keep the best kinds one by one, ties in proportion, until the rate is used up."""
        keep, left = np.zeros(9), rate
        for level in sorted(set(score[score > -np.inf]), reverse=True):
            tied = score == level
            share = min(1.0, left / self.mass[tied].sum())
            keep[tied], left = share, left - share * self.mass[tied].sum()
        return keep

    def percentile(self, score):
        order = np.array([self.mass[score <= each].sum() for each in score])
        power = np.exp(brentq(lambda x: self.mass @ order ** np.exp(x) - RATE, -20, 20, xtol=1e-14, rtol=1e-14))
        return order**power


@pytest.fixture(scope="module")
def small():
    return Small()


@pytest.fixture(scope="module")
def rows(small):
    found = neighbours.measure(small.jacobian, small.moments)
    return {(row["name"], row["rate"]): row for row in found if row["direction"] == "PG"}


def blended(small, share):
    """Outcomes of the blend, its weight where the error of a batch of 100, a quadratic in it, is least."""
    keep = small.top(small.chi, RATE * share)
    kept = small.mass @ keep
    u = 1.0 if share == 1 else (RATE - kept) / (1 - kept)

    def outcomes(a):
        return [(keep, 1.0), ((1 - keep) * u, a / u), ((1 - keep) * (1 - u), 0.0)]

    def error(a):
        mean, second, _ = moments_of(small, outcomes(a))
        return np.sum((mean - small.true) ** 2) + (second - mean @ mean) / 100

    low, middle, high = error(0.0), error(0.5), error(1.0)
    curvature = 2 * (low + high - 2 * middle)
    return outcomes((curvature - (high - low)) / (2 * curvature))


def outcomes_of(small, name):
    """What happens to a sample of each kind: probabilities and weights, from each estimate's own words."""
    one = np.ones(9)
    if name in RULES:
        entropy = np.repeat(-(small.pi * np.log(small.pi)).sum(-1), 3)
        keep = small.top(score_function(name)(small.U.ravel(), -np.log(small.pi).ravel(), entropy))
        return [(keep, 1.0)]
    if name in ("PG", "uniform-weighted", "DG", "zero-price"):
        return {
            "PG": [(one, 1.0)],
            "uniform-weighted": [(one * RATE, 1 / RATE)],
            "DG": [(one, expit(small.chi))],
            "zero-price": [((small.chi > 0) * 1.0, 1.0)],
        }[name]
    if name == "gate-weighted":
        price = brentq(lambda x: small.mass @ expit(small.chi - x) - RATE, -50, 50, xtol=1e-14, rtol=1e-14)
        keep = expit(small.chi - price)
        return [(keep, 1 / keep)]
    if name == "length-weighted":
        scale = brentq(lambda s: small.mass @ np.minimum(1, s * small.size) - RATE, 0, 1e3, xtol=1e-15, rtol=1e-14)
        keep = np.minimum(1, scale * small.size)
        return [(keep, 1 / keep)]
    if name.startswith("blend"):
        return blended(small, 1.0 if name == "blend-all" else 0.5)
    return [(small.percentile(-np.log(small.pi).ravel() if name.endswith("surprisal") else small.chi), 1.0)]


def moments_of(small, outcomes):
    """Mean vector, E‖ĝ‖² and the expected backward passes."""
    mean = sum((small.mass * chance * weight) @ small.g for chance, weight in outcomes)
    second = sum(np.sum(small.mass * chance * weight**2 * (small.g**2).sum(-1)) for chance, weight in outcomes)
    passes = sum(small.mass @ (chance * (np.asarray(weight) != 0)) for chance, weight in outcomes)
    return mean, second, passes


ENUMERATED = [*neighbours.RULES, *(set(ESTIMATORS) - {"PG-best-baseline", "winner-take-all"})]


@pytest.mark.parametrize("name", sorted(ENUMERATED))
def test_moments_are_those_of_every_outcome(small, rows, name):
    rate = RATE if name in RULES or ESTIMATORS[name].rated else None
    row = next(row for key, row in rows.items() if key[0] == name and (rate is None or key[1] == rate))
    outcomes = outcomes_of(small, name)
    mean, second, passes = moments_of(small, outcomes)
    u = small.true / np.linalg.norm(small.true)
    slopes = small.g @ u
    along = sum(np.sum(small.mass * chance * (weight * slopes) ** 2) for chance, weight in outcomes)
    size = np.linalg.norm(mean)
    parallel, total = along - (mean @ u) ** 2, second - size**2
    expected = {
        "backward_rate": passes,
        "signal": mean @ u,
        "cosine": mean @ u / size if size else np.nan,
        "length": size / np.linalg.norm(small.true),
        "var_parallel": parallel,
        "var_perpendicular": total - parallel,
        "per_forward": max(0.0, mean @ u) ** 2 / second if second else 0.0,
    }
    for column, value in expected.items():
        assert row[column] == pytest.approx(value, rel=1e-9, abs=1e-10, nan_ok=True), column
    assert row["per_backward"] * passes == pytest.approx(row["per_forward"], rel=1e-9)


def test_negative_control_a_wrong_weight_is_seen(small, rows):
    keep, weight = outcomes_of(small, "gate-weighted")[0]
    _, second, _ = moments_of(small, [(keep, weight * 1.001)])
    mean, _, _ = moments_of(small, [(keep, weight)])
    row = rows["gate-weighted", RATE]
    assert row["var_parallel"] + row["var_perpendicular"] != pytest.approx(second - mean @ mean, rel=1e-4)


def test_estimates_keep_their_rate_and_those_without_bias_the_gradient(rows):
    for (name, rate), row in rows.items():
        if name in ESTIMATORS:
            if ESTIMATORS[name].rated and name != "blend-all":
                assert row["backward_rate"] == pytest.approx(rate, abs=1e-9), name
            unbiased = row["cosine"] == pytest.approx(1, abs=1e-10) and row["length"] == pytest.approx(1, abs=1e-10)
            assert unbiased or not ESTIMATORS[name].unbiased, name


def test_the_baseline_moves_to_that_of_least_noise_in_each_context(small):
    moved = ESTIMATORS["PG-best-baseline"].use(samples_of(small.pi, small.U), np.nan).advantage
    assert moved == pytest.approx(small.right - best_baseline(small.pi, small.right).baseline[:, None], abs=1e-12)


def samples_of(pi, U):
    return Samples(pi, U, -np.log(pi), lambda one, other: 0.0, lambda weight: 0.0)


@pytest.mark.parametrize("rate", [0.05, 0.25, 0.6])
def test_winner_take_all_is_that_of_a_batch_with_each_kind_as_often_as_it_should(rate):
    """Kinds in whole numbers: the noise given the batch is that of draws_variance, and so is the number kept."""
    counts = np.array([[30, 8, 2], [1, 9, 30]])
    pi, U = counts / 40, np.array([[0.3, -0.5, 0.9], [0.8, -0.6, 0.1]])
    use = ESTIMATORS["winner-take-all"].use(samples_of(pi, U), rate)
    rng = np.random.default_rng(0)
    length = np.abs(U) * np.linalg.norm(np.eye(3) - pi[:, None, :], axis=-1)
    g = rng.normal(size=(2, 3, 4)) * length[..., None]
    sizes, gradients = (np.repeat(each.reshape(6, -1), counts.ravel(), axis=0) for each in (length, g))
    k, drawn = round(80 * rate), use.drawn.astype(float)
    mean = np.einsum("nk,nkd->d", pi / 2 * drawn, g)
    second = np.sum(pi / 2 * (use.second - 1) * np.sum(g**2, axis=-1))
    noise = second - mean @ mean / np.sum(pi / 2 * drawn * use.passes)
    n_sure = round(80 * np.sum(pi / 2 * (1 - drawn)))
    assert 80 * noise == pytest.approx(float(draws_variance(gradients, sizes[:, 0], k, n_sure)), rel=1e-10)
    assert np.sum(pi / 2 * use.passes) == pytest.approx(rate, abs=1e-12)
    ends = [int(c) for c in np.cumsum([0, *counts.ravel()[np.argsort(-length.ravel())]]) if c < k]
    left = [np.sort(sizes[:, 0])[: 80 - c].sum() ** 2 / (k - c) for c in ends]
    assert n_sure == ends[int(np.argmin(left))]


@pytest.mark.parametrize("name", ["delight", "gate-weighted", "blend"])
def test_moments_are_those_of_draws_and_wrong_ones_are_not(small, rows, name):
    rng = np.random.default_rng(1)
    outcomes, u = outcomes_of(small, name), small.true / np.linalg.norm(small.true)
    chances = np.stack([np.broadcast_to(chance, 9) for chance, _ in outcomes])
    weights = np.stack([np.broadcast_to(weight, 9) for _, weight in outcomes])
    squares = np.sum(small.g**2, axis=-1)
    kind = rng.choice(9, size=100_000, p=small.mass)
    uniform = rng.random(kind.size)
    place = (uniform > np.cumsum(chances, axis=0)[:, kind]).sum(axis=0)
    weight = np.where(place < len(weights), weights[np.minimum(place, len(weights) - 1), kind], 0.0)
    row = rows[name, RATE]
    size = row["length"] * np.linalg.norm(small.true)
    square = row["var_parallel"] + row["var_perpendicular"] + size**2
    for values, expected in ((weight * (small.g @ u)[kind], row["signal"]), (weight**2 * squares[kind], square)):
        error = values.std() / np.sqrt(values.size)
        assert abs(values.mean() - expected) < 4 * error
    assert abs(values.mean() - 2 * square) > 4 * error
