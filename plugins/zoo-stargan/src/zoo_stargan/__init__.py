"""StarGAN for zoo."""
