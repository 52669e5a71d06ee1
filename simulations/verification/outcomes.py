"""What ``kondo verify`` found: one outcome a claim, the report of all, and the JSON that other tools read.

The fields of the JSON are those of ``to_json`` here, of :mod:`simulations.verification.evidence_json`, and of
:class:`kondo_theory.derivations.proof.Derivation`. Infinite values, which JSON lacks, are null: an open end of a
region or of an interval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from kondo_theory.claims import FAMILIES, SOURCES, Claim, Verdict
from kondo_theory.words import one_line
from simulations.verification.checks.evidence import Measured, Simulated
from simulations.verification.evidence_json import criteria_json, measured_json, simulated_json

__all__ = ["SCHEMA", "Broken", "Outcome", "Report"]

SCHEMA = 2
"""Version of the JSON: it changes where a field is renamed, is dropped, or means something else."""

INCONCLUSIVE: tuple[Verdict, ...] = ("contradicted", "broken", "undecided")


@dataclass(frozen=True)
class Broken:
    """The exception that ended a claim.

    Attributes
    ----------
    type, message, where : str
        ``where`` is ``file:line in function`` of the innermost frame of this project.
    traceback : str
    """

    type: str
    message: str
    where: str
    traceback: str

    def __repr__(self) -> str:
        return one_line(self, self.type, self.message, where=self.where)

    def __str__(self) -> str:
        return f"{self.type}: {self.message} ({self.where})"


@dataclass(frozen=True)
class Outcome:
    """One claim with all that was found, and the verdict.

    Attributes
    ----------
    claim : Claim
    derived : mapping or None
        The derivation as :meth:`kondo_theory.derivations.proof.Derivation.to_json` returns it.
    simulated, measured : sequence
    verdict, reason : str
    seconds : float
        How long it took.
    broken : Broken, optional
    """

    claim: Claim
    derived: Mapping[str, Any] | None
    simulated: Sequence[Simulated]
    measured: Sequence[Measured]
    verdict: Verdict
    reason: str
    seconds: float = 0.0
    broken: Broken | None = None

    def __repr__(self) -> str:
        counts = {"simulated": len(self.simulated), "measured": len(self.measured)}
        return one_line(self, self.claim.id, self.verdict, reason=self.reason, **counts)

    @property
    def conclusive(self) -> bool:
        """False if ours disagrees with ours, an exception ended the claim, or a check was too noisy to decide."""
        return self.verdict not in INCONCLUSIVE

    def to_json(self) -> dict[str, Any]:
        """Return the claim's entry in the JSON report."""
        claim, rule = self.claim, self.claim.rule
        sources = dict.fromkeys(source for row in self.measured for source in row.sources)
        return {
            "id": claim.id,
            "family": FAMILIES.get(claim.id),
            "statement": claim.statement,
            "source": claim.source,
            "published": claim.published,
            "regime": claim.regime,
            "derived": None if self.derived is None else dict(self.derived),
            "simulated": list(map(simulated_json, self.simulated)),
            "measured": list(map(measured_json, self.measured)),
            "tables": [asdict(source) for source in sources],
            "criteria": criteria_json(claim, self.measured),
            "rule": {
                "statistic": rule.statistic,
                "undecided": rule.undecided,
                "judged_from": dict(rule.judged_from),
                "not_run": rule.not_run,
                "not_comparable": rule.not_comparable or None,
                "beforehand": rule.beforehand,
            },
            "verdict": self.verdict,
            "reason": self.reason,
            "broken": None if self.broken is None else asdict(self.broken),
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Report:
    """The outcome of a run of ``kondo verify``, or of what is done of it.

    Attributes
    ----------
    preset, device, commit, date : str
    versions : mapping
        Of Python and of the packages.
    outcomes : sequence of Outcome
    chosen : sequence of str
        Ids of all the claims that were asked for.
    options : str
        What to give ``kondo verify`` beside the claim to make the same report.
    """

    preset: str
    device: str
    commit: str
    versions: Mapping[str, str]
    outcomes: Sequence[Outcome]
    chosen: Sequence[str] = ()
    date: str = ""
    options: str = ""

    def __repr__(self) -> str:
        counts = Counter(outcome.verdict for outcome in self.outcomes)
        verdicts = ", ".join(f"{n} {verdict}" for verdict, n in counts.items())
        done = len(self.outcomes) if self.complete else f"{len(self.outcomes)} of {len(self.chosen)}"
        return one_line(self, self.preset, claims=done, verdicts=verdicts, device=self.device)

    def _repr_html_(self) -> str:
        """Return the verdicts as a notebook shows them, one row a claim."""
        head = f"preset {self.preset}, {self.device}, commit {self.commit[:12]}, {self.date}"
        rows = [("claim", "verdict", "reason"), *((o.claim.id, o.verdict, o.reason) for o in self.outcomes)]
        cells = ("".join(f"<td>{escape(text)}</td>" for text in row) for row in rows)
        return f"<p>{escape(head)}</p><table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"

    @property
    def complete(self) -> bool:
        """Whether every claim that was asked for is done."""
        return len(self.outcomes) >= len(self.chosen)

    @property
    def exit_code(self) -> int:
        """0 if every check that could be judged was conclusive, whatever it says of published claims; else 1."""
        return 0 if all(outcome.conclusive for outcome in self.outcomes) else 1

    def command(self, claim: str) -> str:
        """Return the command that makes the same report of one claim."""
        return f"kondo verify --claim {claim} {self.options}".rstrip()

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON value."""
        return {
            "schema": SCHEMA,
            "preset": self.preset,
            "device": self.device,
            "commit": self.commit,
            "date": self.date,
            "versions": dict(self.versions),
            "complete": self.complete,
            "chosen": list(self.chosen),
            "exit_code": self.exit_code if self.complete else None,
            "sources": dict(SOURCES),
            "claims": [outcome.to_json() | {"command": self.command(outcome.claim.id)} for outcome in self.outcomes],
        }
