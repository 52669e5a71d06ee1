"""What was measured on a pretrained language model, read from tables alone: a claim without its table is not run."""
