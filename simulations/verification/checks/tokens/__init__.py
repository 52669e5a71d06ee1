"""Checks of tokens that share one reward."""
