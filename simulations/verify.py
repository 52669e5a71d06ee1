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

from kondo_theory.claims import Claim, get_claims
from kondo_theory.words import choice
from simulations.checks import Context, Progress
from simulations.errors import ReportedError
from simulations.merging import PRESETS, MeasuredTables
from simulations.outcomes import Broken, Outcome, Report
from simulations.sources import Source
from simulations.statistics import Measured, Simulated
from simulations.verdicts import judge

__all__ = ["CHECKS", "PRESETS", "Check", "Outcome", "Report", "judge", "load_function", "verify"]


@dataclass(frozen=True)
class Check:
    """Dotted names ``module:function`` of a claim's simulation and measurement; each takes a ``Context``."""

    simulate: str | None = None
    measure: str | None = None


CHECKS: dict[str, Check] = {
    "gate-law": Check(simulate="simulations.checks.gate:gate_law"),
    "price-rate-duality": Check(simulate="simulations.checks.gate:price_rate_duality"),
    "quality-cost-frontier": Check(simulate="simulations.checks.frontier:quality_cost_frontier"),
    "exact-k-or-price": Check(simulate="simulations.checks.frontier:exact_k_or_price"),
    "zero-price-geometry": Check(simulate="simulations.checks.geometry:zero_price_geometry"),
    "dg-noise-ratio": Check(
        simulate="simulations.checks.delightful:dg_noise_ratio",
        measure="simulations.checks.delightful:dg_cosine_gap",
    ),
    "baseline-dependence": Check(simulate="simulations.checks.geometry:baseline_dependence"),
    "forward-efficiency": Check(simulate="simulations.checks.geometry:forward_efficiency"),
    "graded-rewards": Check(simulate="simulations.checks.graded:graded_rewards"),
    "backward-passes-to-align": Check(simulate="simulations.checks.alignment:backward_passes_to_align"),
    "learning-time": Check(simulate="simulations.checks.learning:learning_time"),
    "additive-threshold": Check(simulate="simulations.checks.screening:additive_threshold_turn"),
    "additive-never-fixed": Check(simulate="simulations.checks.screening:additive_never_fixed"),
    "screening-at-rate": Check(simulate="simulations.checks.composition:screening_at_rate"),
    "gambling-false-positives": Check(simulate="simulations.checks.gambling:gambling_false_positives"),
    "gambling-fixed-point": Check(simulate="simulations.checks.gambling:gambling_fixed_point"),
    "gambling-dg-floor": Check(simulate="simulations.checks.gambling:gambling_dg_floor"),
    "gambling-top-rate": Check(simulate="simulations.checks.gambling:gambling_top_rate"),
    "equal-noise": Check(simulate="simulations.checks.gambling:equal_noise"),
    "context-allocation": Check(simulate="simulations.checks.contexts:context_allocation"),
    "step-cost": Check(simulate="simulations.checks.cost:step_cost"),
    "approximate-delight": Check(simulate="simulations.checks.cost:approximate_delight"),
    "token-trap": Check(simulate="simulations.checks.tokens:token_trap"),
    "row-gate": Check(simulate="simulations.checks.tokens:row_gate"),
    "token-dg": Check(simulate="simulations.checks.tokens:token_dg"),
    "token-screening": Check(simulate="simulations.checks.tokens:token_screening"),
    "mnist-quality": Check(measure="simulations.checks.mnist:quality"),
    "mnist-decomposition": Check(measure="simulations.checks.mnist_moments:decomposition"),
    "mnist-screening": Check(measure="simulations.checks.mnist_moments:screening"),
    "mnist-savings": Check(measure="simulations.checks.mnist_cost:savings"),
    "mnist-approximate-delight": Check(measure="simulations.checks.mnist_approximate:approximate_delight"),
    "reversal-quality": Check(measure="simulations.checks.reversal:quality"),
    "reversal-token-trap": Check(measure="simulations.checks.reversal:token_trap"),
    "reversal-row-gate": Check(measure="simulations.checks.reversal:row_gate"),
    "reversal-screening": Check(measure="simulations.checks.reversal_screening:screening"),
    "reversal-physical-cost": Check(measure="simulations.checks.reversal_cost:physical_cost"),
    "reversal-scaling": Check(measure="simulations.checks.reversal_scaling:scaling"),
    "device-agreement": Check(measure="simulations.checks.devices:device_agreement"),
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
    from simulations.results import provenance

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
        if claim.derivation_module is not None:
            context.progress(f"{claim.id}: deriving")
            self.derived = importlib.import_module(claim.derivation_module).derive().to_json()
        if check.simulate is not None:
            context.progress(f"{claim.id}: simulating")
            self.simulated = load_function(check.simulate)(context)
        if check.measure is not None:
            context.progress(f"{claim.id}: measuring")
            self.measured = load_function(check.measure)(context)


def _describe(error: Exception) -> Broken:
    """Return what an exception says, and where: the innermost frame that is this project's own."""
    root = Path(__file__).resolve().parent.parent
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
