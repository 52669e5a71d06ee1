"""Moments of a kernel and along a direction against gradients in the space of the parameters."""

import numpy as np
import pytest
from enumerated_moments import NAMES

from kondo_theory.moments import gradient_moments


def parameter_space_moments(policy, advantage, first, second, jacobian, unit):
    """Return the five moments from explicit parameter-space gradients, (K, D)."""
    n_arms = len(policy)
    scores = (np.eye(n_arms) - policy) @ jacobian
    c1, c2 = first * advantage, second * advantage**2
    mean = policy @ (c1[:, None] * scores)
    if unit is None:
        gradient = policy @ (advantage[:, None] * scores)
        unit = gradient / np.linalg.norm(gradient)
    signal, parallel = mean @ unit, scores @ unit
    along = policy @ (c2 * parallel**2) - signal**2
    total = policy @ (c2 * np.sum(scores**2, axis=1)) - mean @ mean
    bias = np.linalg.norm(mean - signal * unit)
    return signal, bias, along, total - along, signal / np.linalg.norm(mean)


@pytest.mark.parametrize("given_direction", [False, True])
def test_kernel_is_parameter_space(given_direction):
    rng = np.random.default_rng(5)
    for n_arms, n_parameters in ((2, 5), (3, 2), (6, 20)):
        policy, jacobian = rng.dirichlet(np.ones(n_arms)), rng.standard_normal((n_arms, n_parameters))
        advantage, weight = rng.standard_normal(n_arms), rng.random(n_arms)
        unit = rng.standard_normal(n_parameters)
        unit = unit / np.linalg.norm(unit) if given_direction else None
        direction = None if unit is None else jacobian @ unit
        kernel = jacobian @ jacobian.T
        found = gradient_moments(policy, advantage, weight, weight, direction=direction, kernel=kernel)
        expected = parameter_space_moments(policy, advantage, weight, weight, jacobian, unit)
        for name, value in zip(NAMES, expected, strict=True):
            np.testing.assert_allclose(getattr(found, name), value, rtol=1e-11, atol=1e-14, err_msg=name)


def test_identity_kernel_and_shifted_kernel_change_nothing():
    rng = np.random.default_rng(6)
    policy, advantage, weight = rng.dirichlet(np.ones(5)), rng.standard_normal(5), rng.random(5)
    plain = gradient_moments(policy, advantage, weight, weight)
    shift = rng.standard_normal(5)  # a common shift of the logits with the parameters does not move the policy
    for kernel in (np.eye(5), np.eye(5) + np.outer(shift, np.ones(5)) + np.outer(np.ones(5), shift) + 9):
        found = gradient_moments(policy, advantage, weight, weight, kernel=kernel)
        for name in NAMES:
            np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=1e-12)


def test_near_deterministic_policy_with_kernel():
    policy = np.array([1 - 1e-12, 9e-13, 1e-13])
    advantage, weight = np.array([1e-3, -0.5, 1.0]), np.array([0.5, 0.2, 0.8])
    plain = gradient_moments(policy, advantage, weight, weight)
    found = gradient_moments(policy, advantage, weight, weight, kernel=np.eye(3))
    for name in NAMES:
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=1e-12)


def test_direction_that_reaches_into_other_contexts():
    """Two tabular contexts, one unit vector over both: the part outside counts as perpendicular."""
    rng = np.random.default_rng(7)
    policy, advantage, weight = rng.dirichlet(np.ones(4)), rng.standard_normal(4), rng.random(4)
    unit = rng.standard_normal(8)
    unit /= np.linalg.norm(unit)
    jacobian = np.hstack([np.eye(4), np.zeros((4, 4))])
    expected = parameter_space_moments(policy, advantage, weight, weight**2, jacobian, unit)
    found = gradient_moments(policy, advantage, weight, weight**2, direction=unit[:4])
    for name, value in zip(NAMES, expected, strict=True):
        np.testing.assert_allclose(getattr(found, name), value, rtol=1e-12, err_msg=name)


def test_noisy_rewards_are_passed_as_moments():
    """Reward ± with noise: c₁ = wU, c₂ = w(U² + σ²), against a finer context whose arms carry the noise."""
    policy, advantage, sigma, weight = np.array([0.6, 0.3, 0.1]), np.array([0.5, -0.2, 0.1]), 0.3, 0.5
    direction = np.array([0.6, -0.64, 0.48])
    direction /= np.linalg.norm(direction)
    second = weight * (advantage**2 + sigma**2)
    found = gradient_moments(policy, 1.0, weight * advantage, second, direction=direction)
    scores = np.eye(3) - policy
    gradients = np.concatenate([(advantage[:, None] + s * sigma) * scores for s in (-1, 1)])
    gradients, mass = np.concatenate([gradients, 0 * gradients]), np.tile(policy, 4) / 4
    mean, parallel = mass @ gradients, gradients @ direction
    np.testing.assert_allclose(found.signal, mean @ direction, rtol=1e-13)
    np.testing.assert_allclose(found.var_parallel, mass @ (parallel - mean @ direction) ** 2, rtol=1e-12)
    across = gradients - parallel[:, None] * direction
    np.testing.assert_allclose(found.var_perpendicular, mass @ np.sum((across - mass @ across) ** 2, 1), rtol=1e-12)
