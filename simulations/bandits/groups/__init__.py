"""Simulated groups of answers to one prompt, and the prompts that are visited."""
