"""Figures of the gambling pathology."""
