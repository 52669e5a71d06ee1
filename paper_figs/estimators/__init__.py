"""Figures of estimates of the policy gradient from a part of the samples."""
