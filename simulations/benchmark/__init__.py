"""How fast it is: each case timed against a plain reference or its own ungated form, in one run.

May import every simulation and experiment; it must never know claims, and no test depends on a time.
"""
