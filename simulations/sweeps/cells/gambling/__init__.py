"""Cells of the gamble: rest points, runs and drifts."""
