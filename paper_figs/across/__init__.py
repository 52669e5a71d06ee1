"""Figures of claims from several families."""
