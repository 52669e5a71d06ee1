"""Figures of the MNIST bandit."""
