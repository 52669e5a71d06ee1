"""``kondo verify``: derive, simulate and measure every claim, and judge it by the rule that the claim carries.

``CHECKS`` has one entry for each claim of :mod:`kondo_theory.claims` (a test demands it) and names the functions that
simulate and measure it; they are imported when they are needed, so that a claim without a network needs no torch.
"""

from __future__ import annotations

import importlib
import shlex
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kondo_theory.claims import Claim, derive, get_claims
from kondo_theory.words import choice
from simulations.errors import ReportedError
from simulations.results.merging import PRESETS, MeasuredTables
from simulations.results.sources import Source
from simulations.verification.checks import Context, Progress
from simulations.verification.checks.evidence import Measured, Simulated
from simulations.verification.outcomes import Broken, Outcome, Report
from simulations.verification.verdicts import judge

__all__ = ["CHECKS", "PRESETS", "Check", "Outcome", "Report", "judge", "load_function", "verify"]


@dataclass(frozen=True)
class Check:
    """Dotted names ``module:function`` of a claim's simulation and measurement; each takes a ``Context``."""

    simulate: str | None = None
    measure: str | None = None


CHECKS: dict[str, Check] = {
    "gate-law": Check(simulate="simulations.verification.checks.bandits.gate:gate_law"),
    "price-rate-duality": Check(simulate="simulations.verification.checks.bandits.gate:price_rate_duality"),
    "quality-cost-frontier": Check(simulate="simulations.verification.checks.bandits.frontier:quality_cost_frontier"),
    "exact-k-or-price": Check(simulate="simulations.verification.checks.bandits.frontier:exact_k_or_price"),
    "normalised-price-gate": Check(
        simulate="simulations.verification.checks.bandits.normalised_price_gate:normalised_price_gate",
        measure="simulations.verification.checks.mnist.steps:normalised_price_gate",
    ),
    "optimal-gate": Check(
        simulate="simulations.verification.checks.bandits.optimal_gate:optimal_gate",
        measure="simulations.verification.checks.reversal.row_gates:optimal_gate",
    ),
    "zero-price-geometry": Check(simulate="simulations.verification.checks.bandits.geometry:zero_price_geometry"),
    "dg-noise-ratio": Check(
        simulate="simulations.verification.checks.bandits.delightful:dg_noise_ratio",
        measure="simulations.verification.checks.bandits.delightful:dg_cosine_gap",
    ),
    "baseline-dependence": Check(simulate="simulations.verification.checks.bandits.geometry:baseline_dependence"),
    "forward-efficiency": Check(simulate="simulations.verification.checks.bandits.geometry:forward_efficiency"),
    "graded-rewards": Check(simulate="simulations.verification.checks.bandits.graded:graded_rewards"),
    "backward-passes-to-align": Check(
        simulate="simulations.verification.checks.bandits.alignment:backward_passes_to_align"
    ),
    "learning-time": Check(simulate="simulations.verification.checks.bandits.learning:learning_time"),
    "corner-escape": Check(simulate="simulations.verification.checks.bandits.updates.corners:corner_escape"),
    "additive-threshold": Check(simulate="simulations.verification.checks.bandits.screening:additive_threshold_turn"),
    "additive-never-fixed": Check(simulate="simulations.verification.checks.bandits.screening:additive_never_fixed"),
    "answer-rules": Check(simulate="simulations.verification.checks.groups.answer_rules:answer_rules"),
    "prompt-skipping": Check(simulate="simulations.verification.checks.groups.prompt_skipping:prompt_skipping"),
    "screening-at-rate": Check(simulate="simulations.verification.checks.bandits.composition:screening_at_rate"),
    "gambling-false-positives": Check(
        simulate="simulations.verification.checks.gambling.drifts:gambling_false_positives"
    ),
    "gambling-fixed-point": Check(simulate="simulations.verification.checks.gambling.drifts:gambling_fixed_point"),
    "gambling-dg-floor": Check(simulate="simulations.verification.checks.gambling.drifts:gambling_dg_floor"),
    "gambling-top-rate": Check(simulate="simulations.verification.checks.gambling.drifts:gambling_top_rate"),
    "equal-noise": Check(simulate="simulations.verification.checks.gambling.drifts:equal_noise"),
    "noise-aware-gate": Check(
        simulate="simulations.verification.checks.gambling.noise_aware:noise_aware_gate",
        measure="simulations.verification.checks.mnist.gamble:noise_aware_gate",
    ),
    "gambling-transformer": Check(
        simulate="simulations.verification.checks.gambling.noisy_contexts:gambling_transformer",
        measure="simulations.verification.checks.reversal.gambling:gambling_transformer",
    ),
    "context-allocation": Check(simulate="simulations.verification.checks.bandits.contexts:context_allocation"),
    "stale-actors": Check(
        simulate="simulations.verification.checks.off_policy.stale_actors:stale_actors",
        measure="simulations.verification.checks.off_policy.stale_answers:stale_answers",
    ),
    "disfavoured-actions": Check(
        simulate="simulations.verification.checks.off_policy.disfavoured_actions:disfavoured_actions",
    ),
    "unbiased-gates": Check(simulate="simulations.verification.checks.estimators.unbiased_gates:unbiased_gates"),
    "least-error-blend": Check(
        simulate="simulations.verification.checks.estimators.least_error_blend:least_error_blend"
    ),
    "optimal-baseline": Check(
        simulate="simulations.verification.checks.estimators.optimal_baseline:optimal_baseline"
    ),
    "step-cost": Check(simulate="simulations.verification.checks.bandits.cost:step_cost"),
    "approximate-delight": Check(simulate="simulations.verification.checks.bandits.cost:approximate_delight"),
    "decision-price": Check(
        simulate="simulations.verification.checks.bandits.decision_price:decision_price",
        measure="simulations.verification.checks.mnist.cascade:decision_price",
    ),
    "cascade": Check(
        simulate="simulations.verification.checks.bandits.decision_price:cascade",
        measure="simulations.verification.checks.mnist.cascade:cascade",
    ),
    "token-trap": Check(simulate="simulations.verification.checks.tokens.drifts:token_trap"),
    "row-gate": Check(simulate="simulations.verification.checks.tokens.drifts:row_gate"),
    "token-dg": Check(simulate="simulations.verification.checks.tokens.drifts:token_dg"),
    "token-screening": Check(simulate="simulations.verification.checks.tokens.drifts:token_screening"),
    "quantile-bernoulli-gate": Check(
        simulate="simulations.verification.checks.temperatures.quantile_gate:quantile_bernoulli_gate",
        measure="simulations.verification.checks.temperatures.training:quantile_bernoulli_gate",
    ),
    "temperature-robustness": Check(
        measure="simulations.verification.checks.temperatures.training:temperature_robustness"
    ),
    "mnist-quality": Check(measure="simulations.verification.checks.mnist.quality:quality"),
    "mnist-decomposition": Check(measure="simulations.verification.checks.mnist.moments:decomposition"),
    "mnist-screening": Check(measure="simulations.verification.checks.mnist.moments:screening"),
    "mnist-savings": Check(measure="simulations.verification.checks.mnist.cost:savings"),
    "mnist-approximate-delight": Check(
        measure="simulations.verification.checks.mnist.approximate:approximate_delight"
    ),
    "reversal-quality": Check(measure="simulations.verification.checks.reversal.quality:quality"),
    "reversal-protocols": Check(measure="simulations.verification.checks.reversal.protocols:protocols"),
    "reversal-token-trap": Check(measure="simulations.verification.checks.reversal.quality:token_trap"),
    "reversal-row-gate": Check(measure="simulations.verification.checks.reversal.quality:row_gate"),
    "reversal-screening": Check(measure="simulations.verification.checks.reversal.screening:screening"),
    "reversal-physical-cost": Check(measure="simulations.verification.checks.reversal.cost:physical_cost"),
    "reversal-scaling": Check(measure="simulations.verification.checks.reversal.scaling:scaling"),
    "reversal-speedup": Check(measure="simulations.verification.checks.reversal.speedup:speedup"),
    "reversal-tasks": Check(measure="simulations.verification.checks.reversal.tasks:tasks"),
    "language-model-savings": Check(measure="simulations.verification.checks.language_model.savings:savings"),
    "language-model-quality": Check(measure="simulations.verification.checks.language_model.learning:quality"),
    "language-model-token-trap": Check(
        measure="simulations.verification.checks.language_model.predictions:token_trap"
    ),
    "language-model-delight": Check(measure="simulations.verification.checks.language_model.learning:delight"),
    "device-agreement": Check(measure="simulations.verification.checks.devices:device_agreement"),
    "autoregressive-rows": Check(
        simulate="simulations.verification.checks.tokens.autoregressive_rows:autoregressive_rows",
        measure="simulations.verification.checks.reversal.row_gates:row_condition",
    ),
    "stall-escape": Check(
        simulate="simulations.verification.checks.tokens.stall_escape:stall_escape",
        measure="simulations.verification.checks.reversal.stalls:stall_escape",
    ),
    "token-rules": Check(simulate="simulations.verification.checks.tokens.token_rules:token_rules"),
    "screening-ties": Check(
        simulate="simulations.verification.checks.tokens.screening_ties:screening_ties",
        measure="simulations.verification.checks.reversal.ties:screening_ties",
    ),
    "gates-under-adam": Check(
        simulate="simulations.verification.checks.bandits.updates.gates_under_adam:gates_under_adam",
        measure="simulations.verification.checks.mnist.steps:gates_under_adam",
    ),
    "all-or-nothing": Check(
        simulate="simulations.verification.checks.tokens.all_or_nothing:all_or_nothing",
    ),
}


def verify(
    preset: str = "quick",
    *,
    device: str = "auto",
    claims: Iterable[str] | None = None,
    workers: int | None = None,
    progress: Progress = lambda _: None,
    tables: MeasuredTables | None = None,
    each: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Verify the claims and return the report.

    An exception in a claim is its verdict, ``broken``, and the others go on.

    Parameters
    ----------
    preset : {"smoke", "quick", "paper"}
        Sizes; the protocol is the same.
    device : {"auto", "cpu", "cuda"}
        Where networks run.
    claims : iterable of str, optional
        Ids; all claims by default.
    workers : int, optional
        Processes for experiments on the CPU, by default one a core. Results do not depend on it.
    progress : callable
        Called with a short text before each part.
    tables : MeasuredTables, optional
        Measured elsewhere: a claim that finds its table here is judged by it, at the table's sizes.
    each : callable
        Called with the report so far after each claim.

    Raises
    ------
    ValueError
        If the preset, the device or a claim is unknown, or the device is absent.
    ReportedError
        Once every claim is done, if one of them could not use what it was given: a table that lacks a method, say,
        or data that are not there.
    """
    from simulations.devices import available_cores, describe, resolve
    from simulations.results.provenance import provenance

    choice("preset", preset, PRESETS)
    chosen = get_claims(claims)
    resolved = resolve(device)
    cores = available_cores() if resolved.type == "cpu" else 1
    record, tables = provenance(describe(resolved)), tables or MeasuredTables()
    options = f"--preset {preset} --device {resolved.type}"
    if tables.directory is not None:
        options += f" --results {shlex.quote(str(tables.directory))}"
    ids = [claim.id for claim in chosen]
    head = (preset, record["device"], record["commit"], record["versions"])
    report = Report(*head, outcomes=[], chosen=ids, date=record["date"], options=options)
    unusable: list[ReportedError] = []
    now = Source(None, preset, record["date"], record["device"], record["commit"], f"kondo verify {options}")
    context = Context(preset, resolved.type, workers or cores, progress, tables, now)
    for claim in chosen:
        outcome = _verify_claim(claim, context, unusable)
        report = replace(report, outcomes=[*report.outcomes, outcome])
        each(report)
    if unusable:
        raise unusable[0]
    return report


def _verify_claim(claim: Claim, context: Context, unusable: list[ReportedError]) -> Outcome:
    """Return the outcome of a claim; an error of what the user gave is also added to ``unusable``."""
    started = time.monotonic()
    found = _Found()
    broken = None
    try:
        found.check(claim, context)
        ok = None if found.derived is None else bool(found.derived["ok"])
        verdict, reason = judge(claim, ok, found.simulated, found.measured)
    except Exception as error:
        broken = _describe(error)
        verdict, reason = "broken", str(broken)
        if isinstance(error, ReportedError):
            reason = str(error)
            unusable.append(error)
    seconds = time.monotonic() - started
    return Outcome(claim, found.derived, found.simulated, found.measured, verdict, reason, seconds, broken)


class _Found:
    """What was derived, simulated and measured; of a claim that breaks, as far as it came."""

    def __init__(self) -> None:
        self.derived: Mapping[str, Any] | None = None
        self.simulated: Sequence[Simulated] = ()
        self.measured: Sequence[Measured] = ()

    def check(self, claim: Claim, context: Context) -> None:
        check = CHECKS[claim.id]
        if claim.derived:
            context.progress(f"{claim.id}: deriving")
            self.derived = derive(claim.id).to_json()
        if check.simulate is not None:
            context.progress(f"{claim.id}: simulating")
            self.simulated = load_function(check.simulate)(context)
        if check.measure is not None:
            context.progress(f"{claim.id}: measuring")
            self.measured = load_function(check.measure)(context)


def _describe(error: Exception) -> Broken:
    """Return what an exception says, and where: the innermost frame that is this project's own."""
    root = Path(__file__).resolve().parents[2]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(root)] or frames
    last = own[-1]
    name = Path(last.filename)
    name = name.relative_to(root) if name.is_relative_to(root) else name
    text = "".join(traceback.format_exception(error))
    message = str(error).strip() or "no message"
    return Broken(type(error).__name__, message, f"{name}:{last.lineno} in {last.name}", text)


def load_function(name: str) -> Callable[[Context], Any]:
    """Return the function behind ``module:function``."""
    module, function = name.split(":")
    loaded: Callable[[Context], Any] = getattr(importlib.import_module(module), function)
    return loaded
