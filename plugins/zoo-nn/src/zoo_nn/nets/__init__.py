"""Blocks and whole nets that several methods share."""
