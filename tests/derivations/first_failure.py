"""Derivations with a wrong formula in them, followed no further than to the first step that fails."""

from __future__ import annotations

from unittest import mock

from carried_out_once import carried_out_once

from kondo_theory.derivations.proof import Proof

__all__ = ["first_failure"]


class _StepError(Exception):
    """A step's check failed."""


class _Steps(list):
    def append(self, step):
        if not step.ok:
            raise _StepError(step.text)
        super().append(step)


class _Strict(Proof):
    """A proof that stops at the first step that fails, so that mutants die early."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.steps = _Steps()


def first_failure(module, write=None):
    """Derive anew and return what the first step that fails says, None if all hold; other errors are raised.

    ``write`` writes some of the module's steps into a proof; without it the whole derivation is made.
    """
    try:
        with carried_out_once():
            if write is not None:
                write(_Strict("x", "s", ()))
                return None
            with mock.patch.object(module, "Proof", _Strict):
                assert module.derive().ok, "a derivation of no steps"
    except _StepError as error:
        return str(error)
    return None
