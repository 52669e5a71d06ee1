"""Rules on the answers of a group, and prompts that are skipped."""
