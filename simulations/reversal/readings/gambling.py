"""The settings of study gambling: what its predictions speak of, and what claims and figures look for."""

__all__ = ["EQUAL", "LENGTH", "NOISES", "STUDY", "ZERO_PROMPTS"]

STUDY = "gambling"
ZERO_PROMPTS = 5
NOISES = (0.0, 0.4, 1.0)
EQUAL = 0.4
LENGTH = 6
