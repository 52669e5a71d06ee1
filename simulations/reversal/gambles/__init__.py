"""Token reversal where easy prompts pay a noisy reward, and the study of who is taken in by it."""
