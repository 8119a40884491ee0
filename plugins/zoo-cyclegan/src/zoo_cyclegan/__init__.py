"""CycleGAN for zoo."""
