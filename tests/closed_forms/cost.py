"""What a gated step costs."""

from closed_forms import ClosedForm
from kondo_theory import cost


def _step(rng):
    return {"rho": rng.uniform(0.01, 0.99), "c": rng.uniform(0, 9), "s": rng.uniform(0, 1)}


def _tokens(rng):
    return {"rho": rng.uniform(0.01, 0.99), "T": float(rng.integers(2, 20)), "r": rng.uniform(0.05, 0.9)}


def _independent(rng):
    return {"rho": rng.uniform(0.01, 0.99), "T": float(rng.integers(2, 20))}


def _account(name):
    return ClosedForm(_step, lambda **at: float(cost.step_cost(at["rho"], at["c"], name, screening_cost=at["s"])))


def _survivors(clustering):
    return ClosedForm(_tokens, lambda **at: float(cost.surviving_rows(at["rho"], at["T"], at["r"], clustering)))


def _implied(accounting, choose, shift):
    """The band's edge over both published speed-ups, each rounded to a whole number."""

    def function():
        return choose(
            float(cost.implied_sample_ratio(size + shift, cost.PUBLISHED_RATE, backward, accounting))
            for backward, size in cost.PUBLISHED_SPEEDUPS.items()
        )

    return ClosedForm(lambda rng: {}, function)


CLOSED_FORMS = {
    "step-cost": {
        "full": _account("full"),
        "logical": _account("logical"),
        "physical": _account("physical"),
        "break_even_rate": ClosedForm(_step, lambda **at: float(cost.break_even_rate(at["c"], at["s"]))),
        "surviving_rows": ClosedForm(_independent, lambda **at: float(cost.surviving_rows(at["rho"], at["T"]))),
        "expected_prefix": ClosedForm(_independent, lambda **at: float(cost.expected_prefix(at["rho"], at["T"]))),
        "surviving_row_clusters": _survivors("row"),
        "surviving_runs": _survivors("run"),
        "implied_logical_low": _implied("logical", max, -0.5),
        "implied_logical_high": _implied("logical", min, 0.5),
        "implied_physical_low": _implied("physical", max, -0.5),
        "implied_physical_high": _implied("physical", min, 0.5),
    },
}

QUOTED = {
    "step-cost": {
        "≥ (1−ρ)^T": "the complement of the surviving share with independent keeps",
        "6x and 10x": "the published speed-ups, from which the ratios are derived",
        "N_ref/N_gate": "the name of a ratio",
    },
}
