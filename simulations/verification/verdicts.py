"""The verdict on a claim: its decision rule, applied to what was derived, simulated and measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kondo_theory.claims import Claim, Criterion, Verdict
from simulations.verification.checks.evidence import Measured, Simulated

__all__ = ["judge", "too_small"]


def judge(
    claim: Claim, derived: bool | None, simulated: Sequence[Simulated], measured: Sequence[Measured]
) -> tuple[Verdict, str]:
    """Apply the claim's decision rule and say why.

    Our own theory comes first: a failed derivation, or a simulation that disagrees with it, contradicts the claim
    whatever was measured. Then each measured criterion is judged by its whole interval, once what was measured is as
    large as the rule asks for. A criterion that is missed fails a published claim; a claim that this project makes is
    contradicted, for prediction and measurement are both ours. Where the rule says why the published protocol may be
    another one, what the criteria say goes into the reason.

    Raises
    ------
    RuntimeError
        If the measurement is large enough and lacks a quantity that the rule demands.
    """
    if derived is False:
        return "contradicted", "a step of the derivation failed"
    wrong = [row.quantity for row in simulated if row.within is False]
    if wrong:
        return "contradicted", f"{len(wrong)} of {len(simulated)} simulated quantities disagree, first {wrong[0]}"
    noisy = [row.quantity for row in simulated if row.within is None]
    if noisy:
        return "undecided", f"{len(noisy)} simulated quantities are too noisy to fail, first {noisy[0]}"
    support = f"{len(simulated)} simulated quantities agree" if simulated else ""
    if not claim.rule.criteria:
        return claim.success, support
    if shortfall := _shortfall(claim, measured):
        return "not run", shortfall
    verdict, reason = _judge_criteria(claim, measured, support)
    if claim.rule.not_comparable:
        return "not comparable", f"{claim.rule.not_comparable}; by the criteria alone: {verdict}, {reason}"
    return verdict, reason


def _judge_criteria(claim: Claim, measured: Sequence[Measured], support: str) -> tuple[Verdict, str]:
    rows = {row.quantity: row for row in measured}
    verdicts = {str(c): c.judge(rows[c.quantity].low, rows[c.quantity].high) for c in claim.rule.criteria}
    missed: Verdict = "fails" if claim.published else "contradicted"
    named: tuple[tuple[str, Verdict, str], ...] = (("fails", missed, "missed"), ("undecided", "undecided", "open"))
    for judgement, verdict, word in named:
        quantities = [criterion for criterion, found in verdicts.items() if found == judgement]
        if quantities:
            hold = sum(found == "holds" for found in verdicts.values())
            return verdict, f"{word}: {'; '.join(quantities)} ({hold} of {len(verdicts)} hold)"
    return claim.success, "; ".join(filter(None, [support, f"all {len(verdicts)} measured criteria are met"]))


def _shortfall(claim: Claim, measured: Sequence[Measured]) -> str:
    """Say which sizes are smaller than the rule asks for, empty if none is.

    Raises
    ------
    RuntimeError
        If a quantity is lacking and nothing that was measured is too small to have it.
    """
    rows = {row.quantity: row for row in measured}
    for criterion in claim.rule.criteria:
        smallest = claim.rule.smallest(criterion)
        for row in _standing_for(criterion, rows, smallest):
            if found := too_small(row.all_sizes, smallest):
                asked = _in_words({name: smallest[name] for name in found}, short=True)
                return f"{_in_words(found)}; the rule asks for {asked}"
        if criterion.quantity not in rows:  # a slip of ours, not a verdict
            raise RuntimeError(
                f"claim {claim.id} demands a quantity that its measurement lacks: {criterion.quantity}"
            )
    return ""


def _standing_for(
    criterion: Criterion, rows: Mapping[str, Measured], smallest: Mapping[str, int]
) -> Sequence[Measured]:
    """Return the criterion's row or, where a small measurement lacks it, every row that has sizes of its kind."""
    if criterion.quantity in rows:
        return [rows[criterion.quantity]]
    return [row for row in rows.values() if set(smallest) <= set(row.all_sizes)]


def too_small(sizes: Mapping[str, int], smallest: Mapping[str, int]) -> dict[str, int]:
    """Return the sizes that are too small; one that was not measured at all counts as 0."""
    found = {name: sizes.get(name, 0) for name in smallest}
    return {name: size for name, size in found.items() if size < smallest[name]}


def _in_words(sizes: Mapping[str, int], *, short: bool = False) -> str:
    """Return ``300 updates and 2 seeds`` or, short, ``3,000 and 10``."""
    names = {name: _singular(name) if size == 1 else name for name, size in sizes.items()}
    texts = [f"{size:,}" if short else f"{size:,} {names[name]}" for name, size in sizes.items()]
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))


def _singular(name: str) -> str:
    return name.replace("samples a", "sample a").replace("units a", "unit a").removesuffix("s")
