"""What was measured on MNIST."""
