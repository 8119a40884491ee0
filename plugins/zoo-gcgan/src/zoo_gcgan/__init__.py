"""GcGAN for zoo."""
