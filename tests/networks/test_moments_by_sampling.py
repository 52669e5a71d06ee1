"""The moments of a network's gradient against batches of the screened step, drawn one by one."""

import numpy as np
import pytest
import torch
from test_network_moments import N_ARMS, N_IMAGES, problem, rows_of, score_gradients

from kondo_theory.gate import Gate, delight, gate_probability
from kondo_theory.training import ScreenedStep
from simulations.networks.image_bandits import ImageBandits, Weighting
from simulations.networks.jacobians import NetworkJacobian
from simulations.networks.moments import NetworkMoments
from simulations.statistics import mean_and_error

BATCH_SIZE, N_BATCHES = 32, 1_500


def sampled(gate, *, soft=False, seed=3):
    """Batch gradients of the screened step, (N_BATCHES, P), and their direction: PG's expected gradient."""
    policy, images, labels = problem()
    streams = np.random.SeedSequence(seed).generate_state(2)
    minibatches, actions = (torch.Generator().manual_seed(int(stream)) for stream in streams)
    optimizer = torch.optim.SGD(policy.parameters(), lr=0.0)
    step = ScreenedStep(policy, optimizer, gate, generator=actions, check=False)
    found = []
    for _ in range(N_BATCHES):
        index = torch.randint(N_IMAGES, (BATCH_SIZE,), generator=minibatches)
        screening = step.act(images[index])
        pi = screening.log_policy.exp()
        advantage = (screening.actions == labels[index]).double() - pi.square().sum(-1)
        chi = delight(advantage, screening.surprisal)
        weight = gate_probability(chi, 0.0, 1.0) if soft else None
        step.update(images[index], screening, advantage, weight=weight)
        found.append(torch.cat([-parameter.grad.flatten() for parameter in policy.parameters()]))
    scores, pi = score_gradients(policy, images)
    truth = (pi * np.eye(N_ARMS)[labels.numpy()])[:, :, None] * scores
    truth = truth.sum(1).mean(0)
    return torch.stack(found).numpy(), truth / np.linalg.norm(truth), step.counts


def distances(found, u, row):
    """How many standard errors signal, Var_∥ and Var_⊥ of the sampled batches lie from the exact moments."""
    along = found @ u
    across = found - along[:, None] * u
    correction = N_BATCHES / (N_BATCHES - 1)
    estimates = {
        "signal": along,
        "var_parallel": BATCH_SIZE * correction * (along - along.mean()) ** 2,
        "var_perpendicular": BATCH_SIZE * correction * ((across - across.mean(0)) ** 2).sum(-1),
    }
    pairs = {name: mean_and_error(values) for name, values in estimates.items()}
    return {name: abs(value - row[name]) / error for name, (value, error) in pairs.items()}


@pytest.fixture(scope="module")
def exact_rows():
    policy, images, labels = problem()
    return rows_of(NetworkMoments(NetworkJacobian(policy, images), labels))


def population_price():
    """A price between two atoms of delight, and the rate it keeps: at that rate no atom is split."""
    policy, images, labels = problem()
    bandits = ImageBandits.of(policy(images), labels)
    price = float(np.sort(bandits.delight.ravel())[-11:-9].mean())
    return price, bandits.mean((bandits.delight > price).astype(float))


@pytest.fixture(scope="module")
def zero_price_batches():
    return sampled(Gate(price=0.0))


def test_zero_price_against_sampling(exact_rows, zero_price_batches):
    found, u, counts = zero_price_batches
    row = exact_rows["zero-price", "PG"]
    assert max(distances(found, u, row).values()) < 4
    rate = counts.backward_samples / counts.forward_samples
    error = np.sqrt(row["backward_rate"] * (1 - row["backward_rate"]) / counts.forward_samples)
    assert abs(rate - row["backward_rate"]) < 4 * error


def test_negative_controls_of_sampling(exact_rows, zero_price_batches):
    """Another rule's moments, and those without what differs between images, are refused by the same check."""
    found, u, _ = zero_price_batches
    for wrong in ("PG", "DG", "DG-K(10 %)", "surprisal(20 %)"):
        assert max(distances(found, u, exact_rows[wrong, "PG"]).values()) > 4, wrong
    row = exact_rows["zero-price", "PG"]
    without = row | {"var_perpendicular": row["var_perpendicular"] - row["var_between"]}
    assert distances(found, u, without)["var_perpendicular"] > 4


def test_dg_against_sampling(exact_rows):
    found, u, _ = sampled(None, soft=True)
    assert max(distances(found, u, exact_rows["DG", "PG"]).values()) < 4
    assert max(distances(found, u, exact_rows["PG", "PG"]).values()) > 4


def test_a_population_price_against_sampling():
    price, rate = population_price()
    policy, images, labels = problem()
    moments = NetworkMoments(NetworkJacobian(policy, images), labels)
    at_rate, at_half = (Weighting("rate", value) for value in (rate, rate / 2))
    rows = rows_of(moments, [at_rate, at_half])
    found, u, _ = sampled(Gate(price=price), seed=4)
    assert max(distances(found, u, rows[at_rate.label, "PG"]).values()) < 4
    assert max(distances(found, u, rows[at_half.label, "PG"]).values()) > 4
