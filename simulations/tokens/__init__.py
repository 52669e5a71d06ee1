"""Rows of tokens that share one reward: their kernel, the typed functions in front of it, and runs of learning.

May import randomness, statistics and the theory that names rules; it must never know torch, files or claims.
"""
