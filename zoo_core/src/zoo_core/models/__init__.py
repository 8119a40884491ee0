"""Model directories: written, verified, loaded by name."""
