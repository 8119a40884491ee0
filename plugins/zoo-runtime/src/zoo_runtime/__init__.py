"""Translates pictures with exported models: without torch, and without the rest of the zoo."""
