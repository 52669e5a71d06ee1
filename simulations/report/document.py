"""What the page reads of the JSON of ``kondo verify``: typed, checked, and refused in one line if it is another file.

The fields are explained in :mod:`simulations.verification.outcomes`. What was added to the JSON for the page has a
default here, so that a file which an earlier version wrote can still be read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from kondo_theory.claims import Verdict
from simulations.errors import InputError

__all__ = ["SCHEMA", "ClaimEntry", "Criterion", "Document", "Measured", "Simulated", "TableEntry", "read_document"]

SCHEMA = 2
"""The version of the JSON that the page reads."""

VERDICTS: tuple[str, ...] = get_args(Verdict)


def _printable(value: object) -> object:
    """Escape what is no text: a file's name can hold bytes that no encoding has."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_printable)]
Number = float | None


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Row(_Entry):
    quantity: Text
    not_finite: Mapping[Text, Text] = Field(default_factory=dict)

    def number(self, name: str) -> Number:
        """Return a field's value, infinite or NaN where the JSON says so; None where there is none."""
        return float(self.not_finite[name]) if name in self.not_finite else getattr(self, name)


class Simulated(_Row):
    """A simulated quantity beside its prediction; ``within`` is None where it was too noisy to decide."""

    predicted: Number
    estimate: Number
    standard_error: Number
    distance: Number = None
    within: bool | None


class Measured(_Row):
    """A measured quantity: median and 95 % interval over seeds, and where it came from."""

    value: Number
    low: Number
    high: Number
    seeds: int
    published: Number
    origin: Text
    sizes: Mapping[Text, int] = Field(default_factory=dict)
    table: Text | None = None


class Criterion(_Row):
    """A region that the claim's rule demands of a measured quantity, and how it was judged."""

    low: Number
    high: Number
    published: Number
    why: Text
    judged_from: Mapping[Text, int]
    text: Text
    judgement: Literal["holds", "fails", "undecided"] | None


class Step(_Entry):
    """One step of a derivation."""

    text: Text
    latex: Text
    kind: Literal["proved", "argued", "checked", "defined"]
    how: Text = ""
    argument: Text
    points: int
    ok: bool


class Derivation(_Entry):
    """A derivation; ``results`` are LaTeX by name."""

    ok: bool
    assumptions: tuple[Text, ...]
    steps: tuple[Step, ...]
    results: Mapping[Text, Text]


class Rule(_Entry):
    """How the claim is judged."""

    statistic: Text
    undecided: Text
    not_run: Text
    not_comparable: Text | None
    beforehand: bool


class TableEntry(_Entry):
    """Where measured numbers came from; without a ``table`` they were measured when the claim was verified."""

    table: Text | None
    preset: Text | None
    date: Text | None
    device: Text | None
    commit: Text | None
    command: Text | None


class Broken(_Entry):
    """The exception that ended a claim."""

    traceback: Text


class ClaimEntry(_Entry):
    """One claim with all that was found."""

    id: Annotated[Text, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    family: Text | None = None
    statement: Text
    source: Text
    published: bool
    regime: Text
    derived: Derivation | None
    simulated: tuple[Simulated, ...]
    measured: tuple[Measured, ...]
    tables: tuple[TableEntry, ...]
    criteria: tuple[Criterion, ...]
    rule: Rule
    verdict: Verdict
    reason: Text
    broken: Broken | None = None
    seconds: float
    command: Text


class Document(_Entry):
    """The whole JSON."""

    preset: Text
    device: Text
    commit: Text
    date: Text
    versions: Mapping[Text, Text]
    complete: bool
    chosen: tuple[Text, ...]
    sources: Mapping[Text, Text]
    claims: tuple[ClaimEntry, ...]

    @classmethod
    def of(cls, value: object, name: str) -> Document:
        """Return the checked document.

        Raises
        ------
        InputError
            If it is not the JSON of ``kondo verify``, or of another version of it; one line says what is wrong.
        """
        if not isinstance(value, dict) or not {"schema", "claims"} <= set(value):
            raise InputError(f"{name} is not the JSON that kondo verify --json writes: it lacks schema and claims")
        if value["schema"] != SCHEMA:
            raise InputError(f"{name} has schema {value['schema']!r}; this version of kondo reads schema {SCHEMA}")
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise InputError(
                f"{name} is not the JSON that kondo verify --json writes: {place}: {first['msg']}"
            ) from None


def read_document(path: Path) -> dict[str, Any]:
    """Read the JSON that ``kondo verify --json`` wrote.

    Raises
    ------
    InputError
        If the file is not there, cannot be read, or is not that JSON.
    """
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    Document.of(value, str(path))
    found: dict[str, Any] = value
    return found
