"""What is configured: frozen values without I/O."""
