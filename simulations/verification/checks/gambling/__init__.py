"""Checks of the gamble: drifts, floors, and where learning ends."""
