"""gambling-transformer: simulation and theory agree; wrong closed forms and each missed prediction contradict it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.gambling.noisy_contexts import entropy_weight, priced_gamble_drift, shared_budget, shut_out_noise
from simulations.results.sources import Source
from simulations.reversal.gambles.study import CELLS
from simulations.reversal.tables import Curves
from simulations.statistics import Interval
from simulations.verification.checks import Context
from simulations.verification.checks.gambling import noisy_contexts as checks
from simulations.verification.checks.reversal import gambling
from simulations.verification.verify import judge

CLAIM = CLAIMS["gambling-transformer"]
SMOKE = Context("smoke", "cpu", 2, lambda _: None)


def simulated(**changes):
    rows = checks.gambling_transformer(SMOKE, **changes)
    return judge(replace(CLAIM, rule=replace(CLAIM.rule, criteria=())), True, rows, [])[0], rows


def test_the_simulation_agrees():
    verdict, rows = simulated()
    assert len({row.quantity for row in rows}) == len(rows)
    worst = max(rows, key=lambda row: abs(row.estimate - row.predicted) / max(row.standard_error, 1e-12))
    assert verdict == CLAIM.success, worst


def alone(share, mean, noise, surprisal, rate, rule):
    """Give every context a budget of its own."""
    parts = [
        shared_budget(share[at] / share[at].sum(), mean[at], noise[at], surprisal[at], rate, rule) for at in HALVES
    ]
    kept, gained = (np.concatenate([getattr(part, name) for part in parts]) for name in ("kept", "gated_mean"))
    return replace(parts[0], kept=kept, gated_mean=gained)


HALVES = (slice(0, 2), slice(2, 4))


@pytest.mark.control("gambling-transformer")
@pytest.mark.parametrize(
    "changes",
    [
        {"budget": alone},
        {"weight": lambda r, eta: 2 * entropy_weight(r, eta)},
        {"priced": lambda x, r, price: priced_gamble_drift(x, r, 0.0)},
        {"shut_out": lambda rate, share, rule: 2 * shut_out_noise(rate, share, rule)},
    ],
    ids=["budgets of their own", "twice the entropy", "no price", "twice the noise"],
)
def test_negative_control_wrong_formulas_contradict_the_claim(monkeypatch, changes):
    kept = {"budget": "BUDGETS", "weight": "SOFT", "priced": "PRICED", "shut_out": "SHUT"}[next(iter(changes))]
    for name in ("BUDGETS", "SHUT", "SOFT", "PRICED", "ZERO_PRICE"):
        monkeypatch.setattr(checks, name, getattr(checks, name)[:2] if name == kept else ())
    assert simulated(**changes)[0] == "contradicted"


SHARES = {"row gate(25 %, abs-advantage)": (0.5, 0.85, 1.0), "row gate(3 %)": (0.3, 0.9, 0.99)}
CLEAN = {
    "row gate(25 %, abs-advantage)": (0.05, 0.3, 0.5),
    "row gate(3 %)": (0.1, 0.45, 0.5),
    "row gate(25 %)": (0.05, 0.1, 0.2),
}
ZERO = {"DG": (0.0, 0.1, 0.42)}
UPDATES = (0, 50, 100, 200, 250, 300)


def curve(config, seed, change):
    """Return a run whose errors have been the same since the first evaluation but two."""
    name, payment = config.label.split(", 5 zero")[0], config.payment
    place = {0.0: 0, 0.4: 1, 1.0: 2}[payment.zero_noise]
    made = {
        "share": SHARES.get(name, (0.4, 0.45, 0.5))[place],
        "clean": CLEAN.get(name, (0.02, 0.05, 0.1))[place],
        "zero": ZERO.get(name, (0.0, 0.01, 0.02))[place],
    }
    if payment.noise:
        made |= {"share": 0.5, "clean": 0.12 if name == "DG" else 0.1, "zero": 0.1}
    made |= change(name, "equal" if payment.noise else payment.zero_noise)
    update = np.array(UPDATES)
    late = update >= 200
    frame = pd.DataFrame({"label": config.label, "update": update, "seed": seed})
    frame["zero_noise"], frame["noise"] = payment.zero_noise, payment.noise
    frame["token_error"] = np.where(late, made["clean"], 0.5)
    frame["zero_token_error"] = np.where(late, made["zero"], 0.5)
    frame["backward_tokens"] = 1_000.0 * update
    frame["zero_backward_tokens"] = made["share"] * frame["backward_tokens"]
    return frame


BY_SIZE, ROWS, FEW = "row gate(25 %, abs-advantage)", "row gate(25 %)", "row gate(3 %)"


@pytest.fixture(autouse=True)
def quick_intervals(monkeypatch):
    """Both seeds are alike: every interval is a point."""
    monkeypatch.setattr(gambling, "bootstrap", lambda values: Interval(values[0], values[0], values[0]))


def rows_of(cells, change=lambda name, noise: {}):
    frames = [curve(config, seed, change) for config in cells for seed in range(2)]
    rows = gambling.gambling_rows(Curves.of(pd.concat(frames, ignore_index=True), Source(device="test")))
    return {row.quantity: replace(row, sizes={"updates": 300, "seeds": 2}) for row in rows}


EVERY = {}


def measured(where=None, change=None):
    """Judge what was predicted, but for one method at one noise; the others' rows are made once."""
    if not EVERY:
        EVERY.update(rows_of(CELLS))
    changed = {}
    if where is not None:
        beside = {BY_SIZE, ROWS} if where[0] in (BY_SIZE, ROWS) else {where[0]}
        cells = [config for config in CELLS if config.label.split(", 5 zero")[0] in beside]
        changed = rows_of(cells, lambda name, noise: change if (name, noise) == where else {})
    return judge(CLAIM, True, [], list((EVERY | changed).values()))


def test_where_predictions_come_true_the_claim_holds():
    assert measured()[0] == CLAIM.success


@pytest.mark.control("gambling-transformer")
@pytest.mark.parametrize(
    ("where", "change", "missed"),
    [
        ((BY_SIZE, 0.4), {"share": 0.7}, "noisy share of the kept, rows by |advantage|(25 %), σ = 0.4"),
        ((BY_SIZE, 1.0), {"share": 0.9}, "noisy share of the kept, rows by |advantage|(25 %), σ = 1"),
        ((ROWS, 0.4), {"share": 0.83}, "rows by |advantage|(25 %) − rows by delight(25 %), σ = 0.4"),
        ((FEW, 1.0), {"share": 0.8}, "noisy share of the kept, rows by delight(3 %), σ = 1"),
        ((BY_SIZE, "equal"), {"share": 0.7}, "noisy share of the kept, rows by |advantage|(25 %), equal noise"),
        ((BY_SIZE, 1.0), {"clean": 0.3}, "final clean error, rows by |advantage|(25 %), σ = 1"),
        ((FEW, 1.0), {"clean": 0.3}, "final clean error, rows by delight(3 %), σ = 1"),
        ((FEW, 0.4), {"clean": 0.2}, "final clean error, rows by delight(3 %), σ = 0.4"),
        ((ROWS, 1.0), {"clean": 0.48}, "final clean error, rows by |advantage|(25 %) − rows by delight(25 %), σ = 1"),
        (("PG", 0.4), {"clean": 0.3}, "final clean error, PG, σ = 0.4 − σ = 0"),
        (("DG", 0.4), {"clean": 0.3}, "final clean error, DG, σ = 0.4 − σ = 0"),
        (("zero-price", 0.4), {"clean": 0.3}, "final clean error, zero-price, σ = 0.4 − σ = 0"),
        (("token gate(30 %)", 0.4), {"clean": 0.3}, "final clean error, token gate(30 %), σ = 0.4 − σ = 0"),
        (("DG", 1.0), {"zero": 0.1}, "final zero error, DG, σ = 1"),
        (("PG", 0.4), {"zero": 0.1}, "final zero error, PG, σ = 0.4"),
        (("zero-price", 0.4), {"zero": 0.1}, "final zero error, zero-price, σ = 0.4"),
        (("DG", "equal"), {"clean": 0.01}, "final clean error, DG, equal noise"),
    ],
)
def test_negative_control_each_criterion_can_be_missed(where, change, missed):
    verdict, reason = measured(where, change)
    assert verdict == "contradicted"
    assert missed in reason
