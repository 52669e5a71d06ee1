"""Screening rules: scores that decide which samples get a backward pass, and what each keeps at a given rate.

:mod:`~kondo_theory.screening.rules` has the rules by name, :mod:`~kondo_theory.screening.at_rate` what they keep of a
context, :mod:`~kondo_theory.screening.answer_signal` what they buy of a group of answers,
:mod:`~kondo_theory.screening.prompts` how often prompts are sampled that are skipped by their history, and
:mod:`~kondo_theory.screening.additive` where additive scores fail. It builds on the gate, the geometry and the
moments; it knows no training.
"""

from kondo_theory.screening.additive import additive_odds_limit, additive_threshold
from kondo_theory.screening.answer_signal import AnswerSignal, answer_signal, kept_signal
from kondo_theory.screening.at_rate import Screened, kept_at_rate, screen_context
from kondo_theory.screening.group_rules import GROUP_RULES
from kondo_theory.screening.prompts import expected_wait, idle_probability, visit_probability, visit_share
from kondo_theory.screening.registry import Rule, ScreeningRule
from kondo_theory.screening.rules import RULES, SAMPLE_RULES, score_function
from kondo_theory.screening.token_rules import TOKEN_RULES

__all__ = [
    "GROUP_RULES",
    "RULES",
    "SAMPLE_RULES",
    "TOKEN_RULES",
    "AnswerSignal",
    "Rule",
    "Screened",
    "ScreeningRule",
    "additive_odds_limit",
    "additive_threshold",
    "answer_signal",
    "expected_wait",
    "idle_probability",
    "kept_at_rate",
    "kept_signal",
    "score_function",
    "screen_context",
    "visit_probability",
    "visit_share",
]
