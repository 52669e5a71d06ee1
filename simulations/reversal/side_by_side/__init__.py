"""Seeds of token reversal side by side: the program that trains them, and which runs share one.

May import what the experiment is made of; the definition of a run must never need it.
"""
