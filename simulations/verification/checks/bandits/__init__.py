"""Checks of what is said of one context, of many, and of the gate itself."""
