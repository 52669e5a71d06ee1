"""Estimates of the policy gradient from a part of the samples, simulated."""
