"""UNIT and CoGAN for zoo."""
