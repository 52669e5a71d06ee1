"""Approximate screening on MNIST: what each screener computes, exact gradients of what is kept, recall and theory."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from mnist_images import mnist

from kondo_theory.approximate import noisy_keep
from simulations.mnist import screeners as mnist_screeners
from simulations.mnist.approximate import STUDIES, Contender, RunSize, run, step_seconds, write_table
from simulations.mnist.config import MnistConfig
from simulations.mnist.probe import Probe
from simulations.mnist.runs import run_contenders
from simulations.mnist.screeners import Distilled, Int8, LowPrecision, NoisyDelight, Screener, Stale
from simulations.mnist.training import SeedProgram
from simulations.networks.mlp import PolicyMLP, StackedMLP

CPU = torch.device("cpu")
SEEDS = (0, 1)
TENTH = MnistConfig("dg-k", rate=0.1, batch_size=50, hidden=(24, 16), updates=20)
TINY = RunSize(20, 2, eval_every=10, images=200, draws=3)


@pytest.fixture(scope="module")
def data():
    return mnist()


def program(data, screener=None, config=TENTH, n_updates=0):
    found = SeedProgram([replace(config, seed=seed) for seed in SEEDS], data, CPU, screener)
    for _ in range(n_updates):
        found.update()
    return found


def probe(found, **options):
    return Probe(found.train_images, found.train_labels, seed=1, **options)


def pixels(found, n=60):
    return found._pixels(found.train_images[:n]).expand(len(SEEDS), -1, -1)


def parameters(found):
    return [tensor.clone() for tensor in found.step.network.parameters()]


def difference(one, other):
    return max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True))


class Renamed(Screener):
    """The policy's own forward pass, called approximate."""

    exact = False

    def log_policy(self, network, observations):
        return network.log_policy(observations)


class Random(Screener):
    """Random scores."""

    exact = False

    def log_policy(self, network, observations):
        return torch.rand(*observations.shape[:2], 10, generator=torch.Generator().manual_seed(3)).log_softmax(-1)


def test_int8_is_the_product_of_the_rounded_numbers(data):
    """Against NumPy in float64, number by number; truncating in place of rounding is noticed."""
    found = program(data, n_updates=5)
    network = found.step.network
    log_policy = Int8().log_policy(network, pixels(found)).double().numpy()

    def by_hand(seed, rounding):
        hidden = pixels(found)[seed].numpy()
        for layer in range(2):
            weight, bias = (tensors[layer][seed].numpy() for tensors in (network.weights, network.biases))
            rows, columns = (np.abs(x).max(axis, keepdims=True) / 127 for x, axis in ((hidden, 1), (weight, 0)))
            product = rounding(hidden / np.maximum(rows, 1e-30)) @ rounding(weight / columns).astype(np.float64)
            hidden = np.maximum(product * rows * columns + bias, 0).astype(np.float32)
        weight, bias = (tensors[2][seed].double().numpy() for tensors in (network.weights, network.biases))
        logits = hidden.astype(np.float64) @ weight + bias
        return logits - np.log(np.exp(logits).sum(-1, keepdims=True))

    for seed in range(len(SEEDS)):
        assert np.abs(log_policy[seed] - by_hand(seed, np.round)).max() < 3e-4
        assert np.abs(log_policy[seed] - by_hand(seed, np.trunc)).max() > 1e-3


def test_cheap_formats_are_close_and_not_the_same(data):
    found = program(data, n_updates=20)
    exact = found.step.network.log_policy(pixels(found))
    for screener in (LowPrecision(), Int8()):
        gap = (screener.log_policy(found.step.network, pixels(found)) - exact).abs().max()
        assert 1e-5 < gap < 0.1, screener


def test_stale_parameters_are_exactly_as_old_as_they_are_said_to_be(data):
    screener = Stale(3)
    found = program(data, screener)
    past: list[StackedMLP] = []
    for _ in range(8):
        past.append(found.step.network.frozen_copy())
        found.update()  # its screener saw the parameters of this moment as the newest
    newest = len(past) - 1
    for age in range(newest):
        same = torch.equal(
            screener.log_policy(found.step.network, pixels(found)), past[newest - age].log_policy(pixels(found))
        )
        assert same == (age == 3)
    # A probe looks before the next update: the newest parameters are the network's own.
    past.append(found.step.network.frozen_copy())
    ahead = screener.about_to_screen(found.step.network).log_policy(found.step.network, pixels(found))
    assert torch.equal(ahead, past[-4].log_policy(pixels(found)))
    assert not torch.equal(ahead, past[-5].log_policy(pixels(found)))
    behind = screener.log_policy(found.step.network, pixels(found))
    assert torch.equal(behind, past[-5].log_policy(pixels(found))), "the screener itself stays as it is"


@pytest.mark.parametrize("shape", [(40, 16, 24), (3, 7, 5), (100, 100, 100)])
def test_padded_int8_products_are_exact(shape):
    batch, inner, width = shape
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(-127, 128, (batch, inner), generator=generator).to(torch.int8)
    columns = torch.randint(-127, 128, (inner, width), generator=generator).to(torch.int8)
    assert torch.equal(mnist_screeners._product(rows, columns).long(), rows.long() @ columns.long())


def test_the_student_comes_closer_to_its_teacher(data):
    teacher = StackedMLP([PolicyMLP((784, 12, 10), seed=seed) for seed in (5, 6)])
    for weight in teacher.weights:
        weight.mul_(3)
    student = Distilled(16, (784, 10), (1, 2), CPU)
    found = program(data)

    def divergence():
        exact, guess = teacher.log_policy(pixels(found)), student.log_policy(teacher, pixels(found))
        return (exact.exp() * (exact - guess)).sum(-1).mean(1)

    before = divergence()
    for _ in range(150):
        student.advance(teacher, found.batch()[2])
    assert (divergence() < 0.5 * before).all()


def test_a_screener_that_is_the_policy_changes_nothing(data):
    config = replace(TENTH, dtype="float64")
    exact, renamed = (program(data, screener, config, 20) for screener in (None, Renamed()))
    assert difference(parameters(exact), parameters(renamed)) < 1e-12
    lossy = program(data, LowPrecision(), config, 20)
    assert difference(parameters(exact), parameters(lossy)) > 1e-6


def kept_gradient(found, exactly):
    """The gradient that autograd finds for the last update of each seed, advantages exact or the screener's."""
    network, update, seen = found.step.network, found.step.update, {}

    def spy(screening, actions, coefficient, selection, advantage=None):
        seen.update(screening=screening, actions=actions, reward=coefficient, keep=selection.keep)
        seen["policies"] = [network.policy(seed) for seed in range(len(SEEDS))]
        update(screening, actions, coefficient, selection, advantage)

    found.step.update = spy
    found.update()
    gradients = []
    for seed, policy in enumerate(seen["policies"]):
        log_policy = policy(seen["screening"].observations[seed]).log_softmax(-1)
        judged = log_policy.detach() if exactly else seen["screening"].log_policy[seed]
        advantage = seen["reward"][seed] - judged.exp().square().sum(-1)
        log_prob = log_policy.gather(-1, seen["actions"][seed][:, None]).squeeze(-1)
        loss = -(seen["keep"][seed] * advantage * log_prob).sum() / len(log_prob)
        gradients.append(torch.autograd.grad(loss, policy.layers[0].weight)[0].T)
    return torch.stack(gradients)


def test_kept_samples_have_exact_advantages(data):
    config = replace(TENTH, dtype="float64")
    screener = Distilled(8, (784, 10), (1, 2), CPU)
    screener.log_policy = lambda network, observations: screener.student.log_policy(observations.float()).double()
    screener.advance = lambda network, observations: None
    for exactly in (True, False):
        found = program(data, screener, config, 3)
        gap = (kept_gradient(found, exactly) - found.step.network.weights[0].grad).abs().max()
        assert (gap < 1e-12) == exactly, "the negative control takes the screener's advantages"


@pytest.mark.parametrize(
    "config", [MnistConfig("pg"), MnistConfig("dg"), MnistConfig("screen", rate=0.1, rule="uniform")]
)
def test_a_screener_needs_a_gate_by_delight(data, config):
    with pytest.raises(ValueError, match=f"takes a gate by delight, got {re.escape(config.label)}"):
        SeedProgram([config], data, CPU, LowPrecision())


def test_recall_of_the_exact_screener_is_one_and_of_random_scores_its_rate(data):
    """The negative control: random scores keep no more of the exact top than chance and fail the claim's margin."""
    found = program(data, n_updates=20)
    for look in probe(found).look(found.step.network, Screener()):
        assert (look["recall"], look["kept_right"], look["kept_wrong"]) == (1.0, 1.0, 0.0)
    low = [look["recall"] for look in probe(found).look(found.step.network, LowPrecision())]
    random = [look["recall"] for look in probe(found).look(found.step.network, Random())]
    assert min(low) > 0.9
    assert max(random) < 0.4


class Twice(NoisyDelight):
    """Noise that is added twice, under the name of one."""

    def delight(self, chi):
        return super().delight(super().delight(chi))


@pytest.mark.parametrize(("kind", "noise"), [("relative", 0.5), ("additive", 0.1), ("additive", 1.0)])
def test_noise_does_what_the_theory_of_noisy_gates_says(data, kind, noise):
    """Shares of 60 draws on 2,000 images to within 4 standard errors; twice the noise predicts something else."""
    found = program(data, n_updates=40)
    screener = NoisyDelight(kind, noise, (1, 2), CPU)
    for look in probe(found, draws=60).look(found.step.network, screener):
        for side, low, high in (("right", 0.5, 1.0), ("wrong", 0.0, 0.5)):
            share, predicted = look[f"kept_{side}"], look[f"predicted_{side}"]
            error = np.sqrt(max(predicted * (1 - predicted), 1e-4) / (60 * 200))  # at least 200 images a side
            assert abs(share - predicted) < 4 * error
            assert low <= predicted <= high
        assert abs(look["recall"] - look["predicted_recall"]) < 0.03
    twice = Twice(kind, noise, (1, 2), CPU)
    gaps = [
        look["recall"] - look["predicted_recall"] for look in probe(found, draws=60).look(found.step.network, twice)
    ]
    assert max(gaps) < -0.03, "the negative control adds the noise twice"


def test_noise_has_the_scale_that_it_says():
    chi = torch.tensor([[2.0, -1.0, 0.0]]).repeat(1, 20_000)
    for kind, spread in (("additive", (0.5, 0.5, 0.5)), ("relative", (1.0, 0.5, 0.0))):
        seen = NoisyDelight(kind, 0.5, (7,), CPU).delight(chi).view(-1, 3)
        error = 0.5 / np.sqrt(2 * len(seen))
        assert np.abs(seen.std(0).numpy() - spread).max() < 4 * 2 * error
        assert (seen.mean(0) - chi[0, :3]).abs().max() < 4 / np.sqrt(len(seen))
        keep = (seen > 0).double().mean(0).numpy()
        np.testing.assert_allclose(keep, noisy_keep([2.0, -1.0, 0.0], 0.5, kind), atol=4 * 0.5 / np.sqrt(len(seen)))


ALL = [*STUDIES["screeners"], *STUDIES["noise"][2:]]
ONE_OF_A_KIND = {(each.screener, each.method.dtype, each.method.method): each for each in ALL}


@pytest.mark.parametrize("contender", ONE_OF_A_KIND.values(), ids=lambda contender: contender.label)
def test_a_run_makes_no_tensor_on_the_default_device(data, contender):
    """Under a meta default device a tensor made without a device has no values: the table would differ."""
    small = replace(contender, method=replace(contender.method, batch_size=50, hidden=(16, 16)))
    expected = run(small, TINY, data, CPU)
    with torch.device("meta"):
        found = run(small, TINY, data, CPU)
    assert found.equals(expected)


def test_contenders_have_names_of_their_own_and_the_table_is_tidy(data):
    assert len({contender.label for contender in ALL}) == len(ALL)
    found = run_contenders(run, (Contender(TENTH), Contender(TENTH, "int8")), TINY, data, CPU)
    assert not found.duplicated(["label", "seed", "update"]).any()
    assert found["update"].unique().tolist() == [10, 20]
    assert (found["backward_samples"] == 5 * found["update"]).all()
    assert found.groupby("label", sort=False)["recall"].mean().tolist()[0] == 1.0


def test_seconds_are_those_of_every_contender_and_round(data):
    contenders = (Contender(TENTH), Contender(TENTH, "int8"))
    found = step_seconds(contenders, TINY, data, CPU, rounds=2, updates=2)
    assert {label: len(times) for label, times in found.items()} == {contender.label: 2 for contender in contenders}
    assert all(second > 0 for times in found.values() for second in times)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Contender(TENTH, "fp4"), "screener must be one of exact, bfloat16, .*, got 'fp4'"),
        (lambda: Contender(TENTH, "stale"), "a value belongs to stale, .*, got None with stale"),
        (lambda: Contender(TENTH, "int8", 3), "a value belongs to stale, .*, got 3 with int8"),
        (lambda: Stale(0), "lag must be whole and at least 1, got 0"),
        (lambda: Stale(1.5), "lag must be whole and at least 1, got 1.5"),
        (lambda: Distilled(0, (784, 10), (1,), CPU), "width and rows must be at least 1, got 0 and 20"),
        (lambda: NoisyDelight("uniform", 1, (1,), CPU), "kind must be one of additive, relative, got 'uniform'"),
        (lambda: NoisyDelight("additive", -1, (1,), CPU), "noise must be finite and at least 0, got -1"),
        (lambda: write_table("speed", "quick", None), "study must be one of screeners, noise, got 'speed'"),
        (lambda: write_table("noise", "huge", None), "preset must be one of smoke, quick, paper, got 'huge'"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
