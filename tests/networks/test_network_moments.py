"""Exact moments in a network's parameters: against gradients one by one, and against the theory."""

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad, vmap

from kondo_theory.contexts import context_weights, cosine_to_cross_entropy
from kondo_theory.geometry.symmetric import symmetric_moments
from kondo_theory.moments import gradient_moments
from kondo_theory.screening import SAMPLE_RULES
from simulations.networks.image_bandits import DIRECTIONS, ImageBandits, Weighting
from simulations.networks.jacobians import IndependentLogits, NetworkJacobian
from simulations.networks.mlp import PolicyMLP
from simulations.networks.moments import NetworkMoments

SIZES, N_IMAGES, N_ARMS = (7, 6, 5, 4), 12, 4
WEIGHTINGS = [
    Weighting("pg"),
    Weighting("dg"),
    Weighting("zero-price"),
    *(Weighting("rate", rate) for rate in (0.01, 0.03, 0.1, 0.3)),
    *(Weighting("rate", 0.2, rule) for rule in SAMPLE_RULES),
    Weighting("rate", 0.2, "additive", 0.8),
    *(Weighting("oracle", 0.2, direction) for direction in DIRECTIONS),
]
MOMENTS = ("signal", "perpendicular_bias", "var_parallel", "var_perpendicular", "cosine")


def problem(dtype=torch.float64, seed=0, n_images=N_IMAGES):
    """A small sharpened network, images and labels."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    images = torch.tensor(rng.normal(size=(n_images, SIZES[0])), dtype=dtype)
    labels = torch.tensor(rng.integers(N_ARMS, size=n_images))
    policy = PolicyMLP(SIZES, seed=seed).to(dtype)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(3)  # the default initialisation is nearly uniform
    return policy, images, labels


def score_gradients(policy, images):
    """∇_θ log π(a|x) of every image and arm by automatic differentiation, (n, K, P), and π, (n, K)."""
    parameters = {name: value.detach() for name, value in policy.named_parameters()}

    def log_probability(values, image, arm):
        return (functional_call(policy, values, (image[None],)).log_softmax(-1)[0] * arm).sum()

    arms = torch.eye(N_ARMS, dtype=images.dtype)
    per_arm = vmap(grad(log_probability), in_dims=(None, None, 0))
    found = vmap(per_arm, in_dims=(None, 0, None))(parameters, images, arms)
    policy_values = policy(images).softmax(-1).detach()
    return torch.cat([part.flatten(2) for part in found.values()], dim=2).numpy(), policy_values.numpy()


def enumerated(policy, images, labels, weights, direction):
    """Moments from the list of all samples with their probabilities; the gate's draw is a third coordinate."""
    scores, pi = score_gradients(policy, images)
    reward = np.eye(N_ARMS)[labels.numpy()]
    advantage = reward - (pi**2).sum(-1, keepdims=True)
    oracle = ((reward - pi)[:, :, None] * scores).sum(1) if direction == "cross-entropy" else None
    truth = (pi[:, :, None] * reward[:, :, None] * scores).sum(1).mean(0) if oracle is None else oracle.mean(0)
    u = truth / np.linalg.norm(truth)
    first, second = weights
    atoms, masses = [], []
    for value, mass in drawn(first, second):
        atoms.append((value * advantage)[:, :, None] * scores)
        masses.append(mass * pi / len(pi))
    g, mass = np.concatenate(atoms).reshape(-1, len(u)), np.concatenate(masses).ravel()
    mean = mass @ g
    deviation = g - mean
    total = mass @ (deviation**2).sum(-1)
    parallel = mass @ (deviation @ u) ** 2
    signal, length = mean @ u, np.linalg.norm(mean)
    bias = np.linalg.norm(mean - signal * u)
    return dict(zip(MOMENTS, (signal, bias, parallel, total - parallel, signal / length), strict=True))


def drawn(first, second):
    """The values of a weight with their probabilities: a soft weight for certain, or a gate that is drawn."""
    if np.allclose(second, first**2):
        return [(first, np.ones_like(first))]
    return [(np.ones_like(first), first), (np.zeros_like(first), 1 - first)]


def rows_of(moments, weightings=WEIGHTINGS):
    return {(row["label"], row["direction"]): row for row in moments.table(weightings).to_dict("records")}


@pytest.mark.parametrize("seed", [0, 1])
def test_every_rule_against_gradients_one_by_one(seed):
    policy, images, labels = problem(seed=seed)
    moments = NetworkMoments(NetworkJacobian(policy, images), labels)
    rows = rows_of(moments)
    assert len(rows) == 2 * len(WEIGHTINGS)
    for weighting in WEIGHTINGS:
        for direction in DIRECTIONS:
            brute = enumerated(policy, images, labels, moments.weights(weighting), direction)
            found = rows[weighting.label, direction]
            for name in MOMENTS:
                assert found[name] == pytest.approx(brute[name], rel=1e-10, abs=1e-10), (weighting.label, name)
            power = brute["signal"] ** 2 + brute["perpendicular_bias"] ** 2
            noise = (brute["var_parallel"] + brute["var_perpendicular"]) / 100
            assert found["efficiency"] == pytest.approx(brute["signal"] ** 2 / (power + noise), rel=1e-10)
            power_per_backward = power + noise * found["backward_rate"]
            per_backward = brute["signal"] ** 2 / power_per_backward
            assert found["efficiency_per_backward"] == pytest.approx(per_backward, rel=1e-10)
            parts = found["var_own_parallel"] + found["var_own_perpendicular"] + found["var_between"]
            assert parts == pytest.approx(found["var_parallel"] + found["var_perpendicular"], rel=1e-10)


def test_negative_control_without_the_variance_between_images_the_enumeration_disagrees():
    policy, images, labels = problem()
    moments = NetworkMoments(NetworkJacobian(policy, images), labels)
    for weighting in WEIGHTINGS:
        found = rows_of(moments, [weighting])[weighting.label, "PG"]
        within = found["var_own_parallel"] + found["var_own_perpendicular"]
        brute = enumerated(policy, images, labels, moments.weights(weighting), "PG")
        assert within != pytest.approx(brute["var_parallel"] + brute["var_perpendicular"], rel=1e-3), weighting.label


def test_parts_of_the_variance_against_the_moments_of_each_image():
    """The theory of one context with the kernel of an automatic Jacobian: another decomposition of the same noise."""
    policy, images, labels = problem()
    moments = NetworkMoments(NetworkJacobian(policy, images), labels)
    scores, pi = score_gradients(policy, images)
    # Rows of J_x: ∇z_a up to a constant over arms, which no score sees.
    kernel = scores @ scores.transpose(0, 2, 1)
    np.testing.assert_allclose(moments.products, kernel, rtol=1e-9, atol=1e-9)
    advantage = moments.bandits.advantage
    for weighting in WEIGHTINGS:
        each = gradient_moments(pi, advantage, *moments.weights(weighting), kernel=kernel)
        row = rows_of(moments, [weighting])[weighting.label, "PG"]
        assert row["var_own_parallel"] == pytest.approx(each.var_parallel.mean(), rel=1e-8)
        assert row["var_own_perpendicular"] == pytest.approx(each.var_perpendicular.mean(), rel=1e-8, abs=1e-10)
    assert rows_of(moments)["zero-price", "PG"]["var_own_perpendicular"] < 1e-12


def test_products_with_the_jacobian_are_adjoint():
    """⟨J u, v⟩ = ⟨u, Jᵀv⟩, the one side forward-mode by torch, the other the written-out backward pass."""
    policy, images, _ = problem()
    jacobian = NetworkJacobian(policy, images)
    rng = np.random.default_rng(np.random.SeedSequence(5))
    v = torch.tensor(rng.normal(size=(3, N_IMAGES, N_ARMS)))
    gradients = jacobian.mean_gradient(v)
    u = torch.tensor(rng.normal(size=gradients.shape[1]))
    left = (v * jacobian.logit_change(u)).sum((1, 2)) / N_IMAGES
    torch.testing.assert_close(gradients @ u, left, rtol=1e-12, atol=1e-12)
    expected = torch.autograd.grad((policy(images) * v[0]).sum() / N_IMAGES, list(policy.parameters()))
    torch.testing.assert_close(gradients[0], torch.cat([part.flatten() for part in expected]))


def test_independent_logits_are_the_theory_of_bandits():
    """Symmetric images: closed forms of one context for the noise, of many for the cosine."""
    p, n_arms = np.array([0.2, 0.5, 0.7, 0.95]), 10
    labels = np.arange(4)
    policy = np.full((4, n_arms), 0.0) + ((1 - p) / (n_arms - 1))[:, None]
    policy[np.arange(4), labels] = p
    moments = NetworkMoments(IndependentLogits(torch.tensor(np.log(policy))), torch.tensor(labels))
    rows = rows_of(moments, [Weighting("pg"), Weighting("dg"), Weighting("zero-price")])
    soft = moments.weights(Weighting("dg"))[0]
    given = {
        "PG": ("pg", 1.0, 1.0),
        "zero-price": ("kondo", 1.0, 0.0),
        "DG": ("dg", soft[labels, labels], soft[labels, labels + 1]),
    }
    for label, (method, right, wrong) in given.items():
        row = rows[label, "cross-entropy"]
        weights = context_weights(method, p, n_arms, "confidence", temperature=1.0)
        assert row["cosine"] == pytest.approx(float(cosine_to_cross_entropy(weights, p, n_arms)), rel=1e-10)
        exact = symmetric_moments(p, n_arms, "confidence", right, wrong)
        assert row["var_own_perpendicular"] == pytest.approx(np.mean(exact.var_perpendicular), rel=1e-10, abs=1e-15)
        assert row["var_own_parallel"] == pytest.approx(np.mean(exact.var_parallel), rel=1e-9)
    assert rows["DG", "PG"]["var_own_perpendicular"] != pytest.approx(rows["PG", "PG"]["var_own_perpendicular"])


def test_the_population_price_keeps_the_rate_and_splits_one_level():
    _, images, labels = problem()
    bandits = ImageBandits.of(problem()[0](images), labels)
    for rate in (0.01, 0.03, 0.5, 1.0):
        keep = bandits.kept(bandits.delight, rate)
        assert bandits.mean(keep) == pytest.approx(rate, rel=1e-12)
        split = np.unique(bandits.delight[(keep > 0) & (keep < 1)])
        assert len(split) <= 1
        if len(split):
            assert (
                bandits.delight[keep == 1].min(initial=np.inf)
                > split[0]
                > bandits.delight[keep == 0].max(initial=-np.inf)
            )
    # Never-kept scores leave fewer than the rate asks for.
    positive = bandits.kept(bandits.score("positive-surprisal"), 1.0)
    assert bandits.mean(positive) == pytest.approx(bandits.mean((bandits.advantage > 0).astype(float)))
    assert bandits.kept(np.zeros_like(keep), 0.3) == pytest.approx(np.full_like(keep, 0.3))


def test_the_oracle_captures_most_and_alpha_one_is_the_advantage():
    policy, images, labels = problem()
    moments = NetworkMoments(NetworkJacobian(policy, images), labels)
    rows = rows_of(moments, [*WEIGHTINGS, Weighting("rate", 0.2, "additive", 1.0)])
    for direction in DIRECTIONS:
        best = rows[f"oracle, {direction}(20 %)", direction]["signal"]
        others = [row["signal"] for (label, d), row in rows.items() if d == direction and label.endswith("(20 %)")]
        assert best == max(others)
        assert rows["additive, α = 1(20 %)", direction]["signal"] == rows["advantage(20 %)", direction]["signal"]


def test_single_precision_agrees_and_keeps_its_dtype():
    policy, images, labels = problem()
    double = NetworkMoments(NetworkJacobian(policy, images), labels).table(WEIGHTINGS)
    single_policy, single_images, _ = problem(torch.float32)
    jacobian = NetworkJacobian(single_policy, single_images)
    assert jacobian.logits.dtype == torch.float32
    single = NetworkMoments(jacobian, labels).table(WEIGHTINGS)
    for name in ("signal", "var_parallel", "var_perpendicular", "cosine"):
        np.testing.assert_allclose(single[name], double[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_nothing_is_made_on_the_default_device():
    """Under a meta default device a tensor made without a device has no values: the moments would differ."""
    policy, images, labels = problem()
    plain = NetworkMoments(NetworkJacobian(policy, images), labels).table(WEIGHTINGS)
    with torch.device("meta"):
        elsewhere = NetworkMoments(NetworkJacobian(policy, images), labels).table(WEIGHTINGS)
    assert plain.equals(elsewhere)


def test_bad_input_is_named():
    policy, images, labels = problem()
    with pytest.raises(ValueError, match=r"images must have shape \(n, 7\) with n ≥ 1, got \(12, 3\)"):
        NetworkJacobian(policy, images[:, :3])
    with pytest.raises(ValueError, match=r"images must have shape \(n, 7\) with n ≥ 1, got \(0, 7\)"):
        NetworkJacobian(policy, images[:0])
    jacobian = NetworkJacobian(policy, images)
    with pytest.raises(ValueError, match=r"labels must be \(n,\) where logits are \(n, K\), got shapes \(11,\)"):
        NetworkMoments(jacobian, labels[1:])
    with pytest.raises(ValueError, match="labels must be arms, at least one, from 0 to 3, got"):
        NetworkMoments(jacobian, labels + 1)
    with pytest.raises(ValueError, match="logits must be finite, got nan"):
        ImageBandits.of(torch.full((12, 4), float("nan")), labels)
    with pytest.raises(ValueError, match="batch_size must be in"):
        NetworkMoments(jacobian, labels).table([Weighting("pg")], batch_size=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "ppo"}, "kind must be one of pg, .*, got 'ppo'"),
        ({"kind": "pg", "rate": 0.1}, "a rate belongs to rate and oracle alone, got kind pg with rate 0.1"),
        ({"kind": "rate"}, "a rate belongs to rate and oracle alone"),
        ({"kind": "rate", "rate": 1.5}, r"rate must be in \(0, 1\], got 1.5"),
        ({"kind": "rate", "rate": 0.1, "rule": "nope"}, "rule must be one of delight, .*, got 'nope'"),
        ({"kind": "oracle", "rate": 0.1}, "rule must be one of PG, cross-entropy, got 'delight'"),
        ({"kind": "rate", "rate": 0.1, "alpha": 0.5}, "alpha belongs to the rule additive, got 0.5"),
        ({"kind": "rate", "rate": 0.1, "rule": "additive", "alpha": 2.0}, r"alpha must be in \[0, 1\], got 2.0"),
    ],
)
def test_bad_weightings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Weighting(**settings)
