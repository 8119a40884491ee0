"""Translations of pictures as graphs that run without torch and without the zoo."""
