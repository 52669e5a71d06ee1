"""The gamble, noise on one arm or on all: its kernel, and drifts and ends of learning beside the theory.

May import randomness, statistics and :mod:`kondo_theory.gambling`; it must never know torch, files or claims.
"""
