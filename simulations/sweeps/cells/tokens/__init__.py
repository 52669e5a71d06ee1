"""Cells of tokens that share one reward: drifts, stalls and training."""
