"""A call of every public function of the closed forms, for tests that go through all of them.

Of an argument that broadcasts there are three values, as a tuple; anything else is handed on as it is. A value that
is an array has axes of its own, last (the arms of a policy, say), and broadcasts before them. It is longer than 300
lines because it is one list.
"""

import numpy as np

from kondo_theory import (
    approximate,
    contexts,
    cost,
    estimators,
    gambling,
    moments,
    off_policy,
    screening,
    token_trap,
)
from kondo_theory.gambling import equal_noise, first_batches, means, noise_aware, noisy_contexts, roots, top_rate
from kondo_theory.geometry import (
    adam,
    alignment,
    cascade,
    corners,
    counts,
    decision_price,
    exact_rate,
    graded,
    learning,
    normal_rewards,
    normalised,
    optimal,
    quantile_gate,
    symmetric,
)
from kondo_theory.geometry.quality_cost import (
    arm_delight,
    efficiency_per_backward,
    expected_rate,
    frontier,
    rate_value,
    surprisal,
)
from kondo_theory.token_trap import (
    all_or_nothing,
    autoregressive_rows,
    groups,
    positions,
    row_balance,
    rows,
    screening_ties,
    searching,
    sets,
    stall_escape,
)


def vectors(*values):
    return tuple(np.array(value) for value in values)


def kept_at(rates, direction):
    return normal_rewards.normal_kept(**ONE_LAW, rate=rates, direction=direction)


POLICY = vectors([0.5, 0.3, 0.2], [0.1, 0.3, 0.6], [0.2, 0.2, 0.6])
VALUES = vectors([0.5, -0.5, -0.25], [1.0, 0.5, -1.0], [-0.2, 0.6, 0.1])
REWARDS = vectors([1.0, 0.0, 0.5], [0.0, 1.0, 0.25], [0.3, 0.0, 1.0])
CHANCES = vectors([0.1, 0.5, 0.75], [0.75, 0.9, 0.5], [0.2, 0.6, 0.95])
FIRST = vectors([0.3, -0.1, 0.2], [0.1, 0.3, 0.0], [-0.2, 0.1, 0.3])
SECOND = vectors([1.0, 2.0, 1.5], [1.0, 1.0, 1.2], [3.0, 1.0, 1.0])
KEPT = vectors([True, False, True], [True, True, False], [False, True, False])
ARMS = vectors([3, 10, 4], [2, 5, 5], [7, 7, 7])
P, K, BASELINE, ETA, RATE = (0.2, 0.3, 0.6), (3, 10, 4), (0.1, 0.25, 0.5), (0.5, 1.0, 2.0), (0.03, 0.25, 0.5)
NOISE, X, TOKENS, WORDS, PRICE = (0.5, 1.0, 1.5), (0.1, 0.3, 0.7), (2, 3, 4), (5, 10, 20), (0.0, 0.1, 0.2)
COSINE, SURE, MANY = (0.5, 0.8, 0.9), (0.5, 0.9, 0.95), (1, 10, 50)
MOMENTS = symmetric.pg_moments(0.3, 10, 0.25)
ONE_LAW = {"policy": POLICY[0], "advantage": VALUES[0], "noise": SECOND[0]}
ONE_KEPT = normal_rewards.normal_kept(**ONE_LAW, rate=0.1)
NORMAL = {"policy": POLICY, "advantage": VALUES, "noise": SECOND, "rate": RATE}
LEARNING = {"method": "dg", "n_arms": K, "baseline": BASELINE, "temperature": ETA}

DECISION = {"cost": PRICE, "mean": (-0.2, 0.0, 0.1), "deviation": ETA, "noise": NOISE}
TWO_POINTS = {"cost": PRICE, "high": ETA, "low": (-0.3, -1.0, -0.1), "share": P, "noise": NOISE}
ONE = {"p_correct": P, "n_arms": K, "baseline": BASELINE}
BATCH = {"batch_size": (10, 25, 40), "n_kept": (1, 4, 10)}
METHOD = {"method": "dg", **ONE, "temperature": ETA}
NOISY = {**ONE, "noise": NOISE, "kind": "additive", "price": PRICE}
STEP = {"rate": RATE, "backward_cost": (1.0, 2.0, 4.0), "accounting": "physical", "screening_cost": (0.25, 0.5, 1.0)}
ROWS = {"rate": RATE, "n_tokens": TOKENS, "correlation": (0.0, 0.3, 0.6)}
ATOMS = {"delight": VALUES, "probability": POLICY}
GRADED = {"policy": POLICY, "rewards": REWARDS, "baseline": (0.2, 0.3, 0.4)}
PLACE, GAMBLE = {"x": X, "noise_ratio": NOISE}, {"noise_ratio": NOISE, "gate": "dg", "temperature": ETA, "n_arms": K}
TRAP, GROUP = {"vocab_size": WORDS, "n_tokens": TOKENS}, {"group_size": (2, 3, 4), "gate": "token", "rate": RATE}
AFTER = {"after_right": (0.001, 0.01, 0.002), "after_wrong": (8.0, 9.0, 10.0)}
SMALL = {"vocab_size": (2, 3, 5), "n_tokens": TOKENS}
CUTS = vectors([1.0, 0.5, 0.2], [0.9, 0.9, 0.9], [0.5, 0.4, 0.1])
TOKEN_GRADIENTS = vectors([[1.0, 0.5]] * 3, [[0.1, -1.0], [2.0, 0.5], [0.3, 0.3]], [[0.0, 1.0]] * 3)
WEIGHTED = {"weights": VALUES, "p_correct": CHANCES, "n_arms": ARMS}

BROADCAST = {
    approximate.delight_scale: ONE,
    approximate.gaussian_recall: {"rate": RATE, "relative_noise": NOISE},
    approximate.noisy_keep: {"delight": (-1.0, 0.5, 2.0), "noise": NOISE, "price": PRICE},
    approximate.noisy_moments: NOISY,
    approximate.noisy_rate: NOISY,
    approximate.noisy_weights: NOISY,
    approximate.rms_cosine: {"moments": MOMENTS, "batch_size": MANY},
    approximate.surprisal_error_bound: {"logit_error": NOISE},
    approximate.undecided_band: {"price": PRICE, "relative_error": RATE},
    contexts.best_price: {"p_correct": CHANCES, "n_arms": ARMS, "baseline": vectors([0.1], [0.3], [0.5])},
    contexts.context_weights: METHOD,
    contexts.cosine_to_cross_entropy: WEIGHTED,
    contexts.critical_probability: {"p_correct": CHANCES, "n_arms": ARMS, "kept": KEPT},
    contexts.dg_closer_limit: {"n_arms": K, "baseline": BASELINE, "temperature": ETA},
    contexts.gap_to_cross_entropy: WEIGHTED,
    cost.activation_memory: {"rate": RATE},
    cost.break_even_rate: {"backward_cost": STEP["backward_cost"], "screening_cost": STEP["screening_cost"]},
    cost.expected_prefix: ROWS,
    cost.implied_sample_ratio: {"observed_speedup": (2.0, 6.0, 10.0), **STEP},
    cost.speedup: {"n_reference": (1e3, 2e3, 3e3), "n_gate": (1e3, 5e3, 1e4), **STEP, "acting_cost": PRICE},
    cost.step_cost: {**STEP, "acting_cost": PRICE},
    cost.surviving_rows: ROWS,
    cost.surviving_rows_exact: {"n_rows": (5, 7, 9), "n_tokens": TOKENS, "n_kept": (1, 3, 8)},
    cost.token_share: {**ROWS, "prompt_length": (0, 5, 10)},
    equal_noise.equal_noise_drift: {**PLACE, "gate": "dg", "temperature": ETA},
    equal_noise.equal_noise_fixed_point: {"noise_ratio": NOISE, "gate": "dg", "temperature": ETA},
    equal_noise.equal_noise_floor_ratio: {"rate": RATE},
    equal_noise.equal_noise_top_rate_drift: {**PLACE, "rate": RATE},
    noisy_contexts.entropy_weight: {"noise": NOISE, "temperature": ETA},
    noisy_contexts.priced_gamble_drift: {**PLACE, "price": PRICE},
    noisy_contexts.priced_gamble_floor: {"price": NOISE},
    noisy_contexts.shut_out_noise: {"rate": RATE, "noisy_share": P},
    noisy_contexts.soft_rest_odds: {"gap": NOISE, "noise": NOISE, "temperature": ETA},
    estimators.best_baseline: {"policy": POLICY, "rewards": REWARDS, "keep": CHANCES},
    estimators.best_step: {"moments": MOMENTS, "length": X, "batch_size": MANY, "smoothness": ETA},
    estimators.dg_baseline: {"p_correct": P, "n_arms": K, "temperature": ETA},
    estimators.least_gated_cost: {"p_correct": P, "n_arms": K, "keep_correct": COSINE, "keep_wrong": RATE},
    estimators.median_baseline: {"policy": POLICY, "rewards": REWARDS},
    estimators.reward_smoothness: {"spread": ETA},
    estimators.soft_baseline: {"p_correct": P, "n_arms": K, "weight_correct": ETA, "weight_wrong": RATE},
    estimators.best_blend: {"policy": POLICY, "advantage": VALUES, "keep": CHANCES, "batch_size": MANY},
    estimators.biased_below: ONE,
    estimators.blend_weight: {
        "squared_bias": BASELINE,
        "pg_variance": ETA,
        "gated_variance": NOISE,
        "covariance": PRICE,
    },
    estimators.effective_share: {"policy": POLICY, "keep": CHANCES},
    estimators.estimated_blend_error: {**ONE, "batch_size": MANY, "n_seen": 5},
    estimators.least_unbiased_cost: ONE,
    estimators.mask_variance: {"gradients": TOKEN_GRADIENTS, "keep": CUTS, "kind": "prefix"},
    estimators.mean_squared_error: {
        "policy": POLICY,
        "advantage": VALUES,
        "first": CHANCES,
        "second": SECOND,
        "batch_size": MANY,
    },
    estimators.symmetric_weighted_moments: {**ONE, "keep_correct": RATE, "keep_wrong": P},
    estimators.weighted_moments: {"policy": POLICY, "advantage": VALUES, "keep": CHANCES},
    estimators.wrong_score_ratio: {"p_correct": P, "n_arms": K},
    estimators.zero_price_blend: {**ONE, "batch_size": MANY, "dropped_rate": RATE},
    gambling.dg_threshold: {"noise_ratio": NOISE, "temperature": ETA},
    gambling.drift: {"x": X, **GAMBLE},
    gambling.false_positive_bound: PLACE,
    gambling.false_positive_probability: PLACE,
    gambling.fixed_point: GAMBLE,
    gambling.log_false_positive_probability: PLACE,
    gambling.log_fixed_point: GAMBLE,
    gambling.log_small_noise_floor: {"noise_ratio": NOISE, "gate": "dg", "temperature": ETA},
    off_policy.chi_square: {"policy": POLICY, "behaviour": POLICY[::-1]},
    off_policy.contaminated_pg_cosine: {
        "p_error": P,
        "learner": POLICY,
        "share": X,
        "actor": POLICY[::-1],
        "baseline": BASELINE,
        "actor_correct": PRICE,
    },
    off_policy.failing_weight_bound: {"probability": P, "advantage": (-0.1, -0.5, -2.0), "temperature": ETA},
    off_policy.imitation_floor: {"corruption": PRICE, "share": X, "actor_correct": PRICE},
    off_policy.mixed_behaviour: {"policy": POLICY, "share": X, "actor": POLICY[::-1]},
    off_policy.off_policy_moments: {
        "method": "dg",
        "policy": POLICY,
        "behaviour": POLICY[::-1],
        "reward": REWARDS,
        "baseline": BASELINE,
        "corruption": PRICE,
        "temperature": ETA,
        "rate": RATE,
    },
    adam.adam_step: {"mean": NOISE, "variance": NOISE},
    adam.logit_moments: {"policy": POLICY, "advantage": VALUES, "first": CHANCES, "second": SECOND},
    adam.one_gradient_step: {"rate": RATE, "batch_size": MANY},
    adam.remembered_step: {"mean": X, "second": NOISE, "third": X, "fourth": ETA, "beta1": X, "beta2": COSINE},
    adam.symmetric_adam_progress: {
        **ONE,
        "weight_right": NOISE,
        "weight_wrong": X,
        "batch_size": MANY,
    },
    alignment.alignment_probability: {**METHOD, "n_samples": MANY, "cosine": COSINE},
    alignment.backward_passes_to_align: {**METHOD, "cosine": COSINE, "confidence": SURE},
    alignment.forward_samples_to_align: {**METHOD, "cosine": COSINE, "confidence": SURE},
    alignment.mean_cosine: {**METHOD, "n_samples": MANY},
    exact_rate.exact_rate_moments: {**ONE, **BATCH},
    exact_rate.finite_rate_value: {"delight": VALUES[0], "probability": POLICY[0], **BATCH},
    exact_rate.kept_successes: {"p_correct": P, **BATCH},
    exact_rate.price_weights: {"p_correct": P, "rate": RATE},
    exact_rate.smooth_rate_gap: {"rate": RATE, "density": NOISE, "batch_size": MANY},
    exact_rate.variance_gap: {**ONE, "rate": RATE},
    normal_rewards.normal_kept: {**NORMAL, "slope": SECOND},
    normal_rewards.normal_price: {**NORMAL, "slope": SECOND},
    counts.count_spread: {"rate": RATE, "batch_size": MANY},
    counts.nothing_kept: {"rate": RATE, "batch_size": MANY},
    counts.inverse_count: {"rate": RATE, "batch_size": MANY},
    normalised.kept_gradient: {"policy": POLICY, "keep": CHANCES, "first": FIRST, "second": SECOND},
    quantile_gate.exponential_share: {"rate": RATE, "temperature": (0.2, 0.7, 3.0)},
    quantile_gate.quantile_gate: {**ONE, "rate": RATE, "temperature": (0.2, 0.7, 3.0)},
    quantile_gate.soft_gain: {**ONE, "soft_wrong": (0.5, 0.8, 0.9), "hard_wrong": (0.0, 0.3, 0.6)},
    optimal.best_gate: {"policy": POLICY, "advantage": VALUES, "rate": RATE},
    optimal.best_unbiased_gate: {"policy": POLICY, "advantage": VALUES, "rate": RATE},
    optimal.cost_of_signal: {"policy": POLICY, "advantage": VALUES, "keep": CHANCES},
    normalised.exact_moments: {"kept": ONE_KEPT},
    normalised.kept_to_pay: {"moments": MOMENTS, "rate": RATE},
    normalised.price_moments: {"kept": ONE_KEPT},
    normalised.normalised_moments: {"kept": ONE_KEPT, "batch_size": MANY},
    arm_delight: {"policy": POLICY, "advantage": VALUES},
    efficiency_per_backward: {"moments": MOMENTS, "rate": RATE, "n_backward": MANY},
    expected_rate: {**ATOMS, "price": PRICE, "temperature": ETA},
    rate_value: {**ATOMS, "rate": RATE},
    surprisal: {"pi": POLICY},
    corners.escape_time: {"method": "zero-price", "policy": POLICY, "baseline": BASELINE, "p_end": (0.7, 0.8, 0.9)},
    corners.kept_updates: {"policy": POLICY, "baseline": BASELINE, "batch_size": MANY, "p_end": (0.7, 0.8, 0.9)},
    corners.late_error: {"method": "zero-price", "n_arms": K, "time": MANY, "baseline": BASELINE},
    corners.shared_rest_point: {"method": "dg", "minority": (*X[:2], 0.4), "baseline": BASELINE, "temperature": ETA},
    graded.ascent_guaranteed: GRADED,
    graded.direction_kept: GRADED,
    graded.zero_price_cosine: GRADED,
    learning.learning_time: {**LEARNING, "p_end": (0.7, 0.8, 0.9), "p_start": P},
    symmetric.confidence_baseline: {"p_correct": P, "n_arms": K},
    symmetric.cosine_gap: {**METHOD, "batch_size": MANY},
    symmetric.dg_noise_ratio: {**ONE, "temperature": ETA},
    symmetric.dg_weights: {**ONE, "temperature": ETA},
    symmetric.forward_efficiency: METHOD,
    symmetric.optimal_pg_baseline: {"p_correct": P, "n_arms": K},
    symmetric.pg_moments: ONE,
    symmetric.symmetric_moments: {**ONE, "weight_correct": NOISE, "weight_wrong": RATE},
    symmetric.value_baseline: {"p_correct": P},
    symmetric.zero_price_moments: ONE,
    means.isoperimetric: {"share": P},
    cascade.cascade_gain: {"evaluation": X, **DECISION},
    cascade.cascade_recall: {"evaluation": X, **DECISION},
    cascade.cascade_window: {"evaluation": X, "deviation": ETA, "noise": NOISE},
    cascade.evaluated_share: {"evaluation": X, **DECISION},
    cascade.posterior_deviation: {"deviation": ETA, "noise": NOISE},
    decision_price.gaussian_gain: {"price": PRICE, **DECISION},
    decision_price.gaussian_price: DECISION,
    decision_price.gaussian_regret: {"price": PRICE, **DECISION},
    decision_price.two_point_gain: {"price": PRICE, **TWO_POINTS},
    decision_price.two_point_price: TWO_POINTS,
    means.log_positive_part: {"s": NOISE},
    means.normal_density: {"x": np.array(0.5)},
    means.positive_part: {"s": NOISE},
    means.soft_part: {"s": NOISE, "sharpness": ETA},
    means.soft_part_log: {"s": NOISE, "sharpness": ETA},
    noise_aware.extremes_drift: {**PLACE, "rate": RATE},
    noise_aware.extremes_efficiency: {"rate": RATE},
    noise_aware.margin_critical_noise_ratio: {"margin": PRICE},
    noise_aware.margin_drift: {**PLACE, "margin": PRICE},
    noise_aware.margin_fixed_point: {"noise_ratio": NOISE, "margin": PRICE},
    noise_aware.second_draw_drift: PLACE,
    moments.gradient_moments: {"policy": POLICY, "advantage": VALUES, "first": CHANCES, "second": SECOND},
    screening.additive_odds_limit: {"alpha": P, "n_arms": K, "reward_gap": ETA},
    screening.additive_threshold: {"p_correct": (0.4, 0.6, 0.9), "n_arms": K, "reward_gap": ETA},
    screening.answer_signal: {
        "rule": "max-variance",
        "reward": REWARDS[0],
        "probability": POLICY,
        "group_size": 4,
        "n_kept": 2,
    },
    screening.expected_wait: {"n_epochs": MANY, "exploration": RATE},
    screening.idle_probability: {"pass_rate": P, "group_size": MANY},
    screening.visit_probability: {"n_idle": MANY, "exploration": RATE, "longest": (2, 3, 4)},
    screening.visit_share: {"idle": P, "exploration": RATE, "longest": (2, 3, 4)},
    screening.kept_signal: {"kept_share": P, "group_share": SURE, "pass_rate": RATE},
    screening.kept_at_rate: {"policy": POLICY, "score": VALUES, "rate": RATE},
    screening.screen_context: {"policy": POLICY, "advantage": VALUES, "rule": "delight", "rate": RATE},
    token_trap.critical_rate: TRAP,
    token_trap.critical_temperature: {"vocab_size": WORDS},
    token_trap.drift: {"p": X, **TRAP, "rate": RATE, "gate": "token"},
    token_trap.low_rates_stall: SMALL,
    token_trap.stall_point: {"rate": RATE, **TRAP, "start": P},
    all_or_nothing.all_or_nothing_drift: {"p": X, **SMALL, "rate": RATE, "group_size": (2, 3, 4)},
    autoregressive_rows.tied_drift: {"odds": (0.5, 0.9, 2.0), **AFTER, "rate": RATE},
    autoregressive_rows.tied_stall_point: {**AFTER, "rate": (0.1, 0.3, 0.9)},
    positions.masked_share: {"p": P, "n_open": TOKENS},
    positions.open_rest_point: {"n_open": TOKENS, "n_free": (0, 1, 2), "vocab_size": WORDS, "rate": RATE},
    positions.surprisal_share: {"p": P, "right": X, "wrong": NOISE},
    positions.weighted_share: {"p": P, "vocab_size": WORDS, "alpha": X},
    stall_escape.barrier: {"rate": (0.16, 0.17, 0.175), "vocab_size": (10, 11, 12), "n_tokens": (3, 3, 3)},
    stall_escape.diffusion: {"p": X, **TRAP, "rate": RATE},
    stall_escape.escape_time: {
        "rate": (0.16, 0.17, 0.175),
        "vocab_size": (10, 11, 12),
        "n_tokens": (3, 3, 3),
        "batch_size": (50, 60, 70),
        "learning_rate": (5.0, 6.0, 7.0),
    },
    stall_escape.unstable_point: {"rate": RATE, **TRAP},
    groups.group_drift: {"p": X, **SMALL, **GROUP},
    groups.group_stall_point: {**SMALL, **GROUP, "start": (0.5, 0.6, 0.7)},
    top_rate.corner_noise_ratio: {"rate": P},
    top_rate.log_top_rate_floor: {"noise_ratio": NOISE, "rate": RATE},
    top_rate.top_rate_drift: {**PLACE, "rate": RATE, "n_arms": K},
}

OTHERWISE = [
    (estimators.best_baseline, {**BROADCAST[estimators.best_baseline], "soft": True}),
    (estimators.best_blend, {**BROADCAST[estimators.best_blend], "soft": True}),
    (estimators.best_blend, {**BROADCAST[estimators.best_blend], "dropped_rate": RATE}),
    (contexts.context_weights, {"method": "kondo", **ONE, "price": PRICE}),
    (cost.step_cost, {**STEP, "accounting": "full"} | {"screening_cost": 1.0}),
    (gambling.drift, {"x": X, **GAMBLE, "gate": "zero-price"}),
    (gambling.drift, {"x": X, **GAMBLE, "gate": "pg"}),
    (gambling.fixed_point, {**GAMBLE, "gate": "zero-price"}),
    (equal_noise.equal_noise_drift, {**PLACE, "gate": "zero-price", "temperature": ETA}),
    (learning.learning_time, {**LEARNING, "method": "pg", "p_end": (0.7, 0.8, 0.9)} | {"temperature": 1.0}),
    (off_policy.off_policy_moments, {**BROADCAST[off_policy.off_policy_moments], "method": "rate"}),
    (token_trap.drift, {"p": X, **TRAP, "gate": "dg", "temperature": ETA}),
    (token_trap.stall_point, {"rate": None, "vocab_size": 100, "n_tokens": TOKENS, "gate": "dg", "temperature": ETA}),
]
"""The same under other methods, where other arguments count."""

SLOW = {groups.group_stall_point, positions.open_rest_point}

SCALARS = {
    approximate.guaranteed_recall: {"delight": VALUES[0], "n_kept": (2,), "relative_error": (0.1,)},
    approximate.top_rate_recall: {"delight": VALUES[0], "probability": POLICY[0], "rate": (0.3,), "noise": (0.5,)},
    autoregressive_rows.tied_tokens: {"odds": (0.9,), "after_right": (0.001,), "after_wrong": (8.0,)},
    contexts.spread_probabilities: {"centre": (0.0,), "spread": (1.0,), "n_contexts": (5,)},
    equal_noise.equal_noise_top_rate_points: {"noise_ratio": (1.0,), "rate": (0.2,)},
    estimators.best_sure_count: {"scores": SECOND[0], "n_draws": (2,)},
    estimators.draws_variance: {
        "gradients": TOKEN_GRADIENTS[1],
        "scores": SECOND[0],
        "n_draws": (2,),
        "n_sure": (1,),
    },
    gambling.expected_path: {"speed": lambda x: 1.0, "x_start": (0.3,), "learning_rate": (0.1,), "n_steps": (3,)},
    graded.evenly_graded: {"n_arms": (4,), "p_best": (0.3,), "baseline": (0.5,)},
    graded.graded_worst_case: {"n": (3,)},
    first_batches.first_batch: {
        "noise": (0.5,),
        "rate": (0.2,),
        "rule": "delight",
        "noisy_share": (0.5,),
        "n_tokens": (3,),
        "vocab_size": (2,),
        "n_answers": (4,),
    },
    first_batches.taken_in_noise: {
        "rate": (0.2,),
        "rule": "abs-advantage",
        "noisy_share": (0.5,),
        "n_tokens": (3,),
        "vocab_size": (2,),
        "n_answers": (4,),
    },
    normal_rewards.normal_exact_moments: {**ONE_LAW, "batch_size": (10,), "n_kept": (3,)},
    normalised.exact_batch_moments: {"kept_at": kept_at, "batch_size": (10,), "n_kept": (3,)},
    screening_ties.share_with_ties: {
        "p": (0.7,),
        "n_tokens": (3,),
        "n_prompts": (2,),
        "n_answers": (3,),
        "rate": (0.3,),
        "rule": "advantage",
    },
    screening_ties.late_loss: {
        "n_tokens": (3,),
        "n_prompts": (2,),
        "n_answers": (3,),
        "m": (2,),
        "rule": "advantage",
    },
    symmetric.symmetric_arms: {"n_arms": (4,), "p_correct": (0.3,), "baseline": (0.5,)},
    token_trap.stalling_rates: {"vocab_size": (10,), "n_tokens": (3,)},
    token_trap.stalling_temperatures: {"vocab_size": (10,), "n_tokens": (3,)},
    top_rate.top_rate_points: {"noise_ratio": (1.0,), "rate": (0.2,), "n_arms": (2,)},
}
"""Arguments that must be scalars have one value, as a tuple."""

SHAPES_OF_THEIR_OWN = {
    all_or_nothing.expected_update: "of shapes (M,), (M, M), (M, M, M), …",
    autoregressive_rows.answer_law: "of shapes (M,), (M, M), (M, M, M), …",
    autoregressive_rows.enumerated_balance: "of shapes (M,), (M, M), (M, M, M), …",
    row_balance.row_balance: "(B, T) arrays",
    screening_ties.kept_with_ties: "(T + 1,) array",
    noisy_contexts.shared_budget: "(J,) array",
    positions.position_drifts: "The kinds are a sequence of",
    positions.percentile_drifts: "the kinds a sequence of K",
    stall_escape.passage_time: "(n + 1,) array",
    contexts.self_consistent_counts: "(N,) arrays",
    frontier: "``(..., *S)``",
    screening.score_function: "the rule of this name",
}
"""And the words of their docstrings that say so."""

INNER = (rows, sets, searching, roots)
"""What the others are made of, on vectors (P,) or on scalars, whose callers have checked what they hand on."""
