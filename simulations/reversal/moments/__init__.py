"""What updates do on average and how they vary, at policies along the training of token reversal."""
