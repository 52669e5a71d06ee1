"""MNIST step by step: what contenders are, what they keep and divide by, and tables of tiny runs."""

import numpy as np
import pytest
import torch
from mnist_images import few_images

from simulations.mnist.config import MnistConfig
from simulations.mnist.paths import PathConfig
from simulations.mnist.steps import best_gates, curves, gains, progress
from simulations.mnist.steps.contenders import CONTENDERS, Contender, ContenderProgram
from simulations.mnist.steps.policies import stages
from simulations.mnist.training import SeedProgram

CPU = torch.device("cpu")
SHORT = PathConfig(accuracies=(0.2,), n_images=40, max_updates=50)


@pytest.fixture(scope="module")
def stage():
    return list(stages(SHORT, few_images(), CPU))[-1]


def kept_by(contender, updates=60):
    """The numbers kept and what the gradient's coefficients are, over an update's advantages, of two seeds."""
    program = ContenderProgram(contender, (0, 1), few_images(), CPU, updates=updates)
    seen = []
    update = program.step.update

    def spy(screening, actions, coefficient, selection):
        reward = actions.new_zeros(()) + 1 - screening.log_policy.exp().square().sum(-1)
        seen.append((selection.n_kept.clone(), (coefficient / reward).clone()))
        return update(screening, actions, coefficient, selection)

    program.step.update = spy
    for _ in range(updates):
        program.update()
    return seen


def test_a_price_holds_the_rate_and_keeps_varying_numbers():
    counts = torch.stack([kept for kept, _ in kept_by(Contender.at_price(0.03))]).double()
    assert float(counts.mean()) == pytest.approx(3, rel=0.1)
    assert 1.0 < float(counts.std()) < 3.0


def test_divided_by_the_kept_the_sum_is_multiplied_by_what_is_lacking():
    for kept, ratio in kept_by(Contender.at_price(0.03, "kept"), 5):
        right = ratio.isclose((3 / kept.clamp(min=1)).float()[:, None], rtol=1e-4)
        assert bool(right.any(-1).all())  # successes have the advantage 1 − b
        plain = ratio.isclose(torch.ones(()), rtol=1e-4).any(-1)
        assert torch.equal(plain, kept == 3)


def test_without_price_and_alignment_it_is_the_protocols_training():
    contender = Contender(MnistConfig("dg-k", rate=0.03))
    program = ContenderProgram(contender, (0, 1), few_images(), CPU, updates=4)
    plain = SeedProgram([MnistConfig("dg-k", rate=0.03, seed=s, updates=4) for s in (0, 1)], few_images(), CPU)
    for _ in range(4):
        program.update()
        plain.update()
    for ours, theirs in zip(program.step.network.parameters(), plain.step.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_alignment_is_the_last_layers_own_inner_product():
    """By autograd: a sample's gradient in the last layer, times the average of earlier batches'."""
    program = ContenderProgram(Contender(MnistConfig("dg-k", rate=0.03), aligned=True), (0,), few_images(), CPU)
    averages = []
    for _ in range(2):
        pixels = torch.rand(1, 7, 784)
        screening, actions, advantage = (
            program.step.act(pixels),
            torch.arange(7)[None],
            torch.linspace(-1, 1, 7)[None],
        )
        found = program._alignment(screening, actions, advantage)
        weight, bias = (
            each[-1][0].clone().requires_grad_()
            for each in (program.step.network.weights, program.step.network.biases)
        )
        log_policy = (screening.inputs[-1][0] @ weight + bias).log_softmax(-1)
        gradients = [
            torch.cat(torch.autograd.grad(advantage[0, i] * log_policy[i, i], (weight, bias), retain_graph=True))
            for i in range(7)
        ]
        average = averages[-1] if averages else torch.zeros_like(gradients[0])
        expected = torch.stack([(each * average).sum() for each in gradients])
        torch.testing.assert_close(found[0], expected, rtol=1e-3, atol=1e-6)
        averages.append(0.1 * torch.stack(gradients).mean(0) + 0.9 * average)


def test_predictions_and_gains_have_a_row_for_each_method_and_direction(stage):
    few = [each for each in CONTENDERS if each.label in ("PG", "DG-K(3 %)", "price(3 %), by the kept")]
    predicted = progress.measure_path(SHORT, few_images(), CPU, few)
    assert len(predicted) == 2 * 2 * 3  # two policies, two directions
    at = predicted.set_index(["target", "direction", "label"])["progress"]
    assert (at > 0).all()
    rows = gains.measure_contender(few[0], stage, gains.GainsSize(1, 2, 30, 30, 2), range(2))
    assert [(row["direction"], row["learning_rate"]) for row in rows[:3]] == [
        ("PG", 0.0), ("cross-entropy", 0.0), ("PG", 1e-4),
    ]  # fmt: skip
    assert rows[0]["gain"] == pytest.approx(at[stage.place["target"], "PG", "PG"], rel=0.3)


def test_curves_have_a_row_a_seed_and_evaluation():
    found = curves.run(curves.CONTENDERS[3], curves.CurvesSize(4, 2, eval_every=2), few_images(), CPU)
    assert found["update"].tolist() == [0, 2, 4] * 2
    assert found["backward_samples"].tolist() == [0, 6, 12] * 2
    assert set(found["label"]) == {"last-layer(3 %)"}


@pytest.mark.parametrize("direction", ["PG", "cross-entropy"])
def test_no_gate_costs_less_than_the_best(stage, direction):
    found = best_gates.costs(stage, direction, 0.1)
    assert list(found) == list(best_gates.GATES)
    assert 1 <= found["best"] <= min(found.values()) * (1 + 1e-9)
    assert found["best"] < found["g·u"] <= found["uniform"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": MnistConfig("pg"), "price_rate": 0.1}, "price_rate belongs to method zero-price, got PG"),
        ({"method": MnistConfig("zero-price"), "price_rate": 1.0}, r"price_rate must be in \(0, 1\), got 1.0"),
        (
            {"method": MnistConfig("pg"), "divisor": "kept"},
            "divisor kept belongs to a gate at a price, got method PG",
        ),
        ({"method": MnistConfig("pg"), "divisor": "k"}, "divisor must be one of batch, kept, got 'k'"),
        ({"method": MnistConfig("pg"), "aligned": True}, "aligned belongs to method dg-k, got PG"),
    ],
)
def test_bad_contenders_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Contender(**settings)


def test_every_contender_has_a_name_and_a_weighting_of_its_own():
    assert len({each.label for each in CONTENDERS}) == len(CONTENDERS)
    assert np.isclose([each.weighting.rate for each in CONTENDERS if each.price_rate], 0.03).all()
