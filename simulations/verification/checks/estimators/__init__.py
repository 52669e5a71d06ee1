"""Checks of estimates of the policy gradient: without bias, with the least error, with the best baseline."""
