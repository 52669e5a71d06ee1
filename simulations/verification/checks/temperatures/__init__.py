"""Checks of what the temperature does: gates drawn at the batch's quantile, and training over temperatures."""
