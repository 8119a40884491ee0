"""MyMethod for zoo."""
