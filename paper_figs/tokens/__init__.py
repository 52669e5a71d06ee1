"""Figures of tokens that share one reward."""
