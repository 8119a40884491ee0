"""ComboGAN for zoo."""
