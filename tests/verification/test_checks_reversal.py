"""What the rows of the claims about token reversal say of tables, altered ones included."""

from dataclasses import replace

import pytest
from reversal_worlds import curve_of, trap, true_world, world

from kondo_theory.claims import CLAIMS
from kondo_theory.cost import surviving_rows_exact
from simulations.errors import ResultError
from simulations.reversal.studies import ABOVE, BELOW, Setting
from simulations.reversal.tables import Curves
from simulations.verification.checks.reversal.cost import physical_cost_rows
from simulations.verification.checks.reversal.quality import quality_rows, row_gate_rows, token_trap_rows
from simulations.verification.checks.reversal.screening import screening_rows
from simulations.verification.verify import judge

JUDGED = {
    "reversal-quality": ("quality", quality_rows),
    "reversal-token-trap": ("token-trap", token_trap_rows),
    "reversal-row-gate": ("token-trap", row_gate_rows),
    "reversal-screening": ("screening-tasks", lambda found: screening_rows(found, true_world("screening"))),
    "reversal-physical-cost": ("quality", physical_cost_rows),
}


def verdict(claim, change=lambda config, end: curve_of(config, end)):
    study, rows_of = JUDGED[claim]
    rows = rows_of(trap(change) if study == "token-trap" else world(study, change))
    assert len({row.quantity for row in rows}) == len(rows)
    return judge(CLAIMS[claim], None, [], rows)


def test_in_a_world_where_the_predictions_come_true_the_claims_hold():
    for claim in JUDGED:
        if claim != "reversal-quality":
            assert verdict(claim)[0] == "holds in regime", claim


def test_quality_is_not_comparable_and_says_what_the_criteria_find():
    found, reason = verdict("reversal-quality")
    assert found == "not comparable"
    assert reason.startswith("the published reward and number of updates are not fully known")
    assert "by the criteria alone: fails, missed: " in reason
    assert "final sequence error, PG ≤ 1" in reason

    def as_published(config, end):
        errors = {"pg": 0.6, "ppo": 0.3, "pmpo": 0.1}
        curve = curve_of(config, 0.995)
        return curve.assign(sequence_error=errors.get(config.method, 1e-4), token_error=0.004)

    found, reason = verdict("reversal-quality", as_published)
    assert found == "not comparable"
    assert "by the criteria alone: holds in regime, all 9 measured criteria are met" in reason
    bare = replace(CLAIMS["reversal-quality"].rule, not_comparable="")
    claim = replace(CLAIMS["reversal-quality"], rule=bare)
    assert judge(claim, None, [], quality_rows(true_world("quality")))[0] == "fails"


def where(predicate, then):
    """Alter the curves of some runs."""
    return lambda config, end: then(config, end) if predicate(config) else curve_of(config, end)


def is_token(config):
    return config.method == "token-gate"


def at(settings):
    return lambda config: Setting(config.vocab_size, config.length, config.rate) in settings


def by(rule, *places):
    """The token gate by a rule, at some of the settings below the critical rate."""
    settings = [BELOW[place] for place in places if place < len(BELOW)]
    return lambda config: is_token(config) and config.rule == rule and at(settings)(config)


def is_row(rule, settings=BELOW):
    return lambda c: c.method == "row-gate" and c.rule == rule and at(settings)(c)


@pytest.mark.control("reversal-token-trap", "reversal-row-gate", "reversal-screening", "reversal-physical-cost")
@pytest.mark.parametrize(
    ("claim", "change"),
    [
        (
            "reversal-token-trap",
            where(lambda c: is_token(c) and at(BELOW[:1])(c), lambda c, e: curve_of(c, e + 0.06)),
        ),
        (
            "reversal-token-trap",
            where(lambda c: is_token(c) and at(BELOW[:1])(c), lambda c, e: curve_of(c, e - 0.06)),
        ),
        ("reversal-token-trap", where(lambda c: is_token(c) and at(BELOW[:2])(c), lambda c, e: curve_of(c, 0.95))),
        ("reversal-token-trap", where(lambda c: is_token(c) and at(ABOVE[:2])(c), lambda c, e: curve_of(c, 0.8))),
        ("reversal-token-trap", where(is_row("advantage", BELOW[:2]), lambda c, e: curve_of(c, 0.6))),
        ("reversal-token-trap", where(lambda c: is_token(c) and at(BELOW[:2])(c), lambda c, e: curve_of(c, e, 0.06))),
        ("reversal-token-trap", where(lambda c: is_token(c) and at(BELOW[4:])(c), lambda c, e: curve_of(c, e, 0.06))),
        ("reversal-token-trap", where(lambda c: is_token(c) and at(ABOVE[4:])(c), lambda c, e: curve_of(c, 0.3))),
        ("reversal-row-gate", where(is_row("delight", BELOW[4:]), lambda c, e: curve_of(c, 0.6))),
        ("reversal-row-gate", where(is_row("advantage", BELOW[4:]), lambda c, e: curve_of(c, 0.6))),
        ("reversal-row-gate", where(is_row("delight", BELOW[:2]), lambda c, e: curve_of(c, 0.85))),
        ("reversal-row-gate", where(is_row("advantage", BELOW[:2]), lambda c, e: curve_of(c, 0.85))),
        ("reversal-row-gate", where(lambda c: is_token(c) and at(BELOW[:1])(c), lambda c, e: curve_of(c, 0.8))),
        (
            "reversal-row-gate",
            where(
                is_row("delight", BELOW[:1]),
                lambda c, e: (x := curve_of(c, e)).assign(backward_tokens=1.1 * x["backward_tokens"]),
            ),
        ),
        ("reversal-screening", where(by("additive", 1), lambda c, e: curve_of(c, 1 / c.vocab_size))),
        ("reversal-screening", where(by("positive-surprisal", 2), lambda c, e: curve_of(c, e + 0.03))),
        ("reversal-screening", where(by("additive", 3, 4), lambda c, e: curve_of(c, 0.95))),
        ("reversal-screening", where(by("positive-surprisal", 1, 2, 3, 4), lambda c, e: curve_of(c, e, 0.06))),
        ("reversal-screening", where(by("advantage", 4), lambda c, e: curve_of(c, 0.6))),
        ("reversal-screening", where(by("abs-advantage", 4), lambda c, e: curve_of(c, 0.6))),
        ("reversal-screening", where(by("abs-advantage", 1), lambda c, e: curve_of(c, 0.97))),
        (
            "reversal-physical-cost",
            where(
                lambda c: is_token(c) and c.rate == 0.03,
                lambda c, e: (x := curve_of(c, e)).assign(backward_rows=0.27 * x["forward_rows"]),
            ),
        ),
        (
            "reversal-physical-cost",
            where(
                lambda c: is_token(c) and c.rate == 0.03,
                lambda c, e: (x := curve_of(c, e)).assign(processed_tokens=0.05 * x["full_tokens"]),
            ),
        ),
        (
            "reversal-physical-cost",
            where(
                is_row("delight", [Setting(2, 10, 0.03)]),
                lambda c, e: (x := curve_of(c, e)).assign(processed_tokens=0.031 * x["full_tokens"]),
            ),
        ),
        (
            "reversal-physical-cost",
            where(
                is_row("delight", [Setting(2, 10, 0.03)]),
                lambda c, e: (x := curve_of(c, e)).assign(training_flops=1.1 * x["training_flops"]),
            ),
        ),
    ],
)
def test_negative_control_a_table_that_differs_contradicts_its_claim(claim, change):
    assert verdict(claim, change)[0] == "contradicted", "the claims are ours, and so is the measurement"


def test_one_unlucky_seed_is_allowed():
    """Of the ten runs below the critical rate two may escape, of the ten above two may be late."""
    seed = where(lambda c: is_token(c) and at(ABOVE[:2])(c) and c.seed == 0, lambda c, e: curve_of(c, 0.7))
    assert verdict("reversal-token-trap", seed)[0] == "holds in regime"


def test_the_cost_rows_hold_the_model_against_the_counts():
    rows = {row.quantity: row.value for row in physical_cost_rows(true_world("quality"))}
    exact = surviving_rows_exact(100, 10, 30)
    name = "rows processed, token gate(3 %), measured over predicted for independent keeps"
    assert rows[name] == pytest.approx(0.15 / exact)
    assert rows["sampling and training FLOPs, row gate(3 %) / PG"] == pytest.approx((10 + 0.03 * 57) / 67)
    for label in ("row gate(3 %)", "token gate(3 %)"):
        predicted = rows[f"the same, predicted from the positions processed, {label}"]
        assert predicted == pytest.approx(rows[f"sampling and training FLOPs, {label} / PG"])
    found = true_world("quality")
    with pytest.raises(ResultError, match=r"lacks row gate\(3 %\), which reversal-physical-cost compares"):
        physical_cost_rows(Curves(found.frame[found.frame["label"] != "row gate(3 %)"]))


def test_a_table_without_a_setting_is_refused():
    found = trap()
    with pytest.raises(ResultError, match="lacks the token gate at M = 10, H = 4, ρ = 5 %"):
        token_trap_rows(Curves(found.frame[~((found.frame["rate"] == 0.05) & (found.frame["vocab_size"] == 10))]))


def test_gates_of_another_number_of_updates_or_seeds_are_not_compared():
    found = trap()
    long = found.frame["label"].eq("row gate(3 %)")
    for label, rows_of in (("row gate(3 %, advantage)", token_trap_rows), ("row gate(3 %)", row_gate_rows)):
        longer = found.frame["label"].eq(label)
        frame = found.frame.assign(update=found.frame["update"].where(~longer, 10 * found.frame["update"]))
        with pytest.raises(
            ResultError, match=r"at M = 2, H = 10, ρ = 3 % .* row gate by [a-z]+ 10,000 of seeds 0, 1, 2"
        ):
            rows_of(Curves(frame))
    fewer = found.frame[~long | (found.frame["seed"] == 0)]
    with pytest.raises(
        ResultError, match=r"delight 1,000 of seeds 0; row gate by advantage 1,000 of seeds 0, 1, 2, 3, 4"
    ):
        row_gate_rows(Curves(fewer))
    others = found.frame.assign(seed=found.frame["seed"].where(~long, found.frame["seed"] + 1))
    with pytest.raises(ResultError, match=r"row gate by delight 1,000 of seeds 1, 2, 3, 4, 5"):
        row_gate_rows(Curves(others))
    elsewhere = true_world("screening-tasks")
    late = elsewhere.frame["rule"].eq("surprisal")
    frame = elsewhere.frame.assign(update=elsewhere.frame["update"].where(~late, 10 * elsewhere.frame["update"]))
    with pytest.raises(ResultError, match=r"abs-advantage 1,000 of seeds 0, 1, 2; surprisal 10,000 of seeds 0, 1, 2"):
        screening_rows(Curves(frame), true_world("screening"))
    with pytest.raises(ResultError, match=r"lacks the token gate by surprisal at M = 2, H = 6, ρ = 3 %"):
        screening_rows(Curves(elsewhere.frame[~late]), true_world("screening"))
