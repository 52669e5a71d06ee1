"""Screening rules: scores that decide which samples get a backward pass, and what each keeps at a given rate.

:mod:`~kondo_theory.screening.rules` has the rules by name, :mod:`~kondo_theory.screening.at_rate` what they keep,
:mod:`~kondo_theory.screening.additive` where additive scores fail. It builds on the gate, the geometry and the
moments; it knows no training.
"""

from kondo_theory.screening.additive import additive_odds_limit, additive_threshold
from kondo_theory.screening.at_rate import Screened, kept_at_rate, screen_context
from kondo_theory.screening.registry import Rule, ScreeningRule
from kondo_theory.screening.rules import GROUP_RULES, RULES, SAMPLE_RULES, score_function
from kondo_theory.screening.token_rules import TOKEN_RULES

__all__ = [
    "GROUP_RULES",
    "RULES",
    "SAMPLE_RULES",
    "TOKEN_RULES",
    "Rule",
    "Screened",
    "ScreeningRule",
    "additive_odds_limit",
    "additive_threshold",
    "kept_at_rate",
    "score_function",
    "screen_context",
]
