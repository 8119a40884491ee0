"""Adversarial translation by shallow generators: a plugin for zoo."""
