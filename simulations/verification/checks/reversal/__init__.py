"""What was measured on token reversal."""
