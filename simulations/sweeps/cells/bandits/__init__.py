"""Cells of one context and of many: moments, screening rules, learning, noise."""
