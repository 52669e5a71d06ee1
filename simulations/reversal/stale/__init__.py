"""Token reversal on answers of other policies: older actors, broken ones, rewards paid by mistake, and all at once.

May import what :mod:`simulations.reversal` may; it must never know claims or figures.
"""
