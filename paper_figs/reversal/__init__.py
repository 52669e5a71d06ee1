"""Figures of token reversal."""
