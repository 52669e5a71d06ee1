"""From a claim to its verdict: evidence is gathered, judged by the claim's own rule, and reported.

:mod:`.verify` gathers and judges, :mod:`.checks` holds what is simulated and measured. May import everything below;
it must never know the command line.
"""
