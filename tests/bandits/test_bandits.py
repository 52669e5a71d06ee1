"""The typed front: bad values are refused, threads change nothing, results agree with theory and plain NumPy."""

import dataclasses

import numpy as np
import pytest

from simulations.bandits import reference as reference_bandits
from simulations.bandits.simulation import (
    AlignmentConfig,
    AlignmentTimeConfig,
    Context,
    DynamicsConfig,
    Gate,
    MomentsConfig,
    simulate_alignment,
    simulate_alignment_times,
    simulate_dynamics,
    simulate_moments,
)

PG, DG, ZERO = Gate("pg"), Gate("dg"), Gate("zero-price")
CONTEXT = Context.symmetric(0.3, 5, 0.5, PG)
GRADED = Context.gated([0.5, 0.3, 0.2], [0.4, -0.3, 0.2], Gate("price", price=0.1, temperature=0.3))
MOMENTS = MomentsConfig(CONTEXT, batch_size=20, n_batches=10, n_replicates=7, seed=1)
ALIGNMENT = AlignmentConfig(CONTEXT, 0.9, (5, 50), n_batches=10, n_replicates=7, seed=1)
TIMES = AlignmentTimeConfig(CONTEXT, 0.9, max_samples=1000, n_replicates=7, seed=1)
LEARNING = DynamicsConfig(
    n_arms=6, batch_size=10, learning_rate=0.5, n_steps=25, gate=PG, baseline=0.5, n_replicates=7, seed=1
)

REFUSED = [
    (MOMENTS, "batch_size", 0, ValueError, r"batch_size must be at least 1, got 0"),
    (MOMENTS, "batch_size", 2.5, TypeError, r"batch_size must be an integer, got 2\.5"),
    (MOMENTS, "n_batches", 1, ValueError, "n_batches must be at least 2"),
    (MOMENTS, "n_replicates", 1, ValueError, "n_replicates must be at least 2"),
    (MOMENTS, "seed", -1, ValueError, "seed must be at least 0"),
    (MOMENTS, "seed", True, TypeError, "seed must be an integer, got True"),
    (MOMENTS, "n_threads", 0, ValueError, "n_threads"),
    (MOMENTS, "cosine", 1.5, ValueError, r"cosine must be finite and in \[-1, 1\], got 1\.5"),
    (ALIGNMENT, "batch_sizes", (), ValueError, "batch_sizes must be not empty"),
    (ALIGNMENT, "batch_sizes", (5, 0), ValueError, "batch_sizes must be at least 1, got 0"),
    (TIMES, "cosine", 1.0, ValueError, r"cosine must be finite and in \(0, 1\)"),
    (TIMES, "context", Context.symmetric(0.3, 5, 0.5, Gate("rate", rate=0.1)), ValueError, "rate must be None"),
    (LEARNING, "n_arms", 1, ValueError, "n_arms must be at least 2, got 1"),
    (LEARNING, "learning_rate", 0.0, ValueError, "learning_rate"),
    (LEARNING, "learning_rate", float("nan"), ValueError, "learning_rate"),
    (LEARNING, "baseline", "mean", ValueError, "a number, 'value' or 'confidence'"),
    (LEARNING, "baseline", float("inf"), ValueError, "baseline must be finite"),
    (LEARNING, "p_initial", 1.0, ValueError, "p_initial"),
    (LEARNING, "gate", "pg", TypeError, "gate must be a Gate, got 'pg'"),
    (LEARNING, "normalised", 1, TypeError, "normalised must be a bool"),
    (PG, "kind", "kondo", ValueError, "kind must be one of pg, dg, zero-price, price, rate, got 'kondo'"),
    (PG, "rate", 0.0, ValueError, r"rate must be in \(0, 1\], got 0\.0"),
    (PG, "price", "high", TypeError, "price must be a real number"),
    (PG, "temperature", -1.0, ValueError, "temperature"),
    (DG, "temperature", 0.0, ValueError, "temperature must be positive for dg"),
    (GRADED, "policy", [0.5, 0.3, 0.3], ValueError, "sum of policy must be 1 within 1e-9"),
    (GRADED, "policy", [0.5, 0.5, 0.0], ValueError, "policy must be positive"),
    (GRADED, "advantage", [0.5, 0.5], ValueError, "shape of advantage must be the policy's"),
    (GRADED, "advantage", [0.5, 0.5, 0.5], ValueError, "direction must be nonzero"),
    (GRADED, "advantage", [0.5, np.nan, 0.5], ValueError, "advantage must be a finite vector"),
    (GRADED, "keep", [0.5, 0.5, 1.1], ValueError, r"keep must be in \[0, 1\]"),
    (GRADED, "rate", 0.5, ValueError, "scores and rate must be given together"),
]


@pytest.mark.parametrize(("config", "name", "value", "error", "message"), REFUSED)
def test_bad_values_are_refused_by_name(config, name, value, error, message):
    with pytest.raises(error, match=message):
        dataclasses.replace(config, **{name: value})


def test_contexts():
    with pytest.raises(ValueError, match="p_correct"):
        Context.symmetric(1.0, 5, 0.5, PG)
    with pytest.raises(ValueError, match="at least 2"):
        Context([1.0], [1.0])
    with pytest.raises(ValueError, match="one where a rate"):
        Context([0.5, 0.5], [1.0, 0.0], keep=[0.5, 1], scores=[1, 0], rate=0.1)
    assert CONTEXT.is_symmetric
    assert not GRADED.is_symmetric
    assert not Context.symmetric(0.3, 5, 0.5, PG).policy.flags.writeable
    d = -CONTEXT.policy
    np.testing.assert_allclose(CONTEXT.unit_direction, (d + np.eye(5)[0]) / np.linalg.norm(d + np.eye(5)[0]))
    keep, weight = Context.symmetric(0.3, 5, 0.0, ZERO).keep_and_weight  # χ = 0 of the wrong arms is not kept
    np.testing.assert_array_equal(keep, [1, 0, 0, 0, 0])
    np.testing.assert_array_equal(weight, 1)
    hard = Gate("price", price=0.3, temperature=0.0).arm_weights(np.array([0.3, 0.31]))[0]
    np.testing.assert_array_equal(hard, [0, 1])


RUNS = {
    "moments, symmetric": (simulate_moments, MOMENTS),
    "moments, general": (simulate_moments, dataclasses.replace(MOMENTS, context=GRADED)),
    "moments, large batch": (simulate_moments, dataclasses.replace(MOMENTS, batch_size=10**5)),
    "alignment": (simulate_alignment, ALIGNMENT),
    "times": (simulate_alignment_times, dataclasses.replace(TIMES, context=GRADED)),
    "learning": (simulate_dynamics, LEARNING),
    "learning, rate": (simulate_dynamics, dataclasses.replace(LEARNING, gate=Gate("rate", rate=0.3))),
    "learning, price": (simulate_dynamics, dataclasses.replace(LEARNING, gate=Gate("price"), baseline="value")),
}


def arrays(result):
    return {f.name: v for f in dataclasses.fields(result) if isinstance(v := getattr(result, f.name), np.ndarray)}


@pytest.mark.parametrize(("simulate", "config"), RUNS.values(), ids=RUNS)
def test_threads_chunks_and_number_of_replicates_change_no_bit(simulate, config):
    alone = arrays(simulate(config))
    for n_threads in (2, 3, 16):
        for name, value in arrays(simulate(dataclasses.replace(config, n_threads=n_threads))).items():
            np.testing.assert_array_equal(value, alone[name])
    more = arrays(simulate(dataclasses.replace(config, n_replicates=9)))
    other = arrays(simulate(dataclasses.replace(config, seed=2)))
    for name, value in alone.items():
        if name != "steps":
            np.testing.assert_array_equal(more[name][:7], value)
    assert any(not np.array_equal(other[name], value) for name, value in alone.items())


def test_a_worker_exception_is_raised():
    config = dataclasses.replace(LEARNING, learning_rate=1e308, baseline=-50.0, n_steps=200, n_threads=2)
    with pytest.raises(FloatingPointError, match="learning rate"):
        simulate_dynamics(config)


def test_alignment_of_zero_price_is_one_success():
    """One kept sample points along ∇J: aligned with probability 1 − (1−p)^N, first aligned after Geometric(p)."""
    p, sizes = 0.1, (1, 7, 30)
    context = Context.symmetric(p, 10, 0.5, ZERO)
    result = simulate_alignment(AlignmentConfig(context, 0.99, sizes, 200, 200, seed=3))
    assert result.aligned.shape == result.cosine.shape == result.backward.shape == (200, 3)
    for column, size in enumerate(sizes):
        share, kept = result.aligned[:, column], result.backward[:, column]
        assert abs(share.mean() - (1 - (1 - p) ** size)) < 4 * share.std() / np.sqrt(200)
        assert abs(kept.mean() - p * size) < 4 * kept.std() / np.sqrt(200)
    times = simulate_alignment_times(AlignmentTimeConfig(context, 0.99, 10_000, 4000, seed=3))
    assert times.reached.all()
    assert (times.backward == 1).all()
    assert abs(times.forward.mean() - 1 / p) < 4 * np.sqrt(1 - p) / p / np.sqrt(4000)
    # Negative control: policy gradient needs more backward passes than one.
    plain = simulate_alignment_times(
        AlignmentTimeConfig(Context.symmetric(p, 10, 0.5, PG), 0.99, 10_000, 100, seed=3)
    )
    assert plain.backward.mean() > 10


def test_alignment_times_against_every_sample():
    times = simulate_alignment_times(AlignmentTimeConfig(GRADED, 0.95, 400, 4000, seed=4))
    rng = np.random.default_rng(4)
    forward, backward = reference_bandits.sampled_alignment_times(rng, GRADED, 0.95, 400, 4000)
    for ours, theirs in ((times.forward, forward), (times.backward, backward)):
        error = np.sqrt((ours.var() + theirs.var()) / 4000)
        assert abs(ours.mean() - theirs.mean()) < 4 * error
    assert abs(times.reached.mean() - (forward < 400).mean()) < 4 * np.sqrt(0.5 / 4000)
    given_up = simulate_alignment_times(AlignmentTimeConfig(CONTEXT, 0.999999, 3, 50, seed=4))
    assert (given_up.forward[~given_up.reached] == 3).all()


LEARNERS = [
    (PG, 0.5, False),
    (DG, "value", False),
    (ZERO, "confidence", True),
    (Gate("price", price=0.1, temperature=0.2), 0.3, False),
    (Gate("rate", rate=0.2), 0.0, True),  # all wrong arms tied at delight zero
    (Gate("rate", rate=0.3), "value", False),
]


def curves(gate, baseline, normalised, draw_samples, n_replicates=3000):
    config = DynamicsConfig(8, 15, 0.4, 30, gate, baseline, n_replicates, 6, 0.2, normalised)
    if draw_samples is None:
        result = simulate_dynamics(config)
        return result.p_correct, result.backward
    rng = np.random.default_rng(7 + draw_samples)
    arguments = (config.initial_logits, 15, 0.4, 30, gate, baseline, n_replicates)
    return reference_bandits.learning_curves(rng, *arguments, normalised=normalised, draw_samples=draw_samples)


def agree(one, other):
    """Whether means and standard deviations over replicates agree within 4 standard errors at steps 1, 5 and 30."""
    for a, b in zip(one, other, strict=True):
        for step in (1, 5, 30):
            x, y = a[:, step].astype(float), b[:, step].astype(float)
            for f, g in ((x, y), ((x - x.mean()) ** 2, (y - y.mean()) ** 2)):
                if abs(f.mean() - g.mean()) > 4 * np.sqrt(f.var() / f.size + g.var() / g.size) + 1e-12:
                    return False
    return True


@pytest.mark.parametrize("draw_samples", [True, False], ids=["sampled", "counted"])
@pytest.mark.parametrize(("gate", "baseline", "normalised"), LEARNERS)
def test_learning_against_plain_numpy(gate, baseline, normalised, draw_samples):
    assert agree(curves(gate, baseline, normalised, None), curves(gate, baseline, normalised, draw_samples))


def test_learning_with_a_wrong_gate_fails_the_same_check():
    """Negative controls: another gate, another baseline, another temperature."""
    ours = curves(PG, 0.5, False, None)
    for wrong in ((DG, 0.5, False), (PG, "value", False), (ZERO, 0.5, False), (PG, 0.5, True)):
        assert not agree(ours, curves(*wrong, False))
    price = curves(Gate("price", price=0.1, temperature=0.2), 0.3, False, None)
    assert not agree(price, curves(Gate("price", price=0.1, temperature=0.6), 0.3, False, False))


def test_learning_of_large_batches_follows_the_gradient_flow():
    """At a small step and a large batch p follows ṗ = p²ε²K/(K−1), which counts drawn wrongly would not."""
    n_steps, rate = 400, 0.02
    config = DynamicsConfig(10, 10**6, rate, n_steps, PG, 0.5, 20, 8, p_initial=0.2, record_every=n_steps)
    found = simulate_dynamics(config).p_correct
    p, fine = 0.2, 50
    for _ in range(n_steps * fine):
        p += rate / fine * p**2 * (1 - p) ** 2 * 10 / 9
    assert found.shape == (20, 2)
    np.testing.assert_allclose(found[:, 0], 0.2, rtol=1e-12)
    assert abs(found[:, 1].mean() - p) < 4 * found[:, 1].std() / np.sqrt(20) + 0.5 * rate * p  # Euler's error


def test_records():
    config = dataclasses.replace(LEARNING, record_every=10)
    result = simulate_dynamics(config)
    np.testing.assert_array_equal(result.steps, [0, 10, 20, 25])
    whole = simulate_dynamics(LEARNING)
    np.testing.assert_array_equal(whole.p_correct[:, result.steps], result.p_correct)
    np.testing.assert_array_equal(whole.backward[:, result.steps], result.backward)
    np.testing.assert_array_equal(whole.backward[0], 10 * np.arange(26))
