"""Figures of one context, of many, and of the gate itself."""
