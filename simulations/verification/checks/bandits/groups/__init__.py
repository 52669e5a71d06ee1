"""Checks of what is said of the answers of a group, and of prompts that are skipped by their history."""
