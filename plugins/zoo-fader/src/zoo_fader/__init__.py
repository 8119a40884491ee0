"""Common spaces that tell nothing of the domain, for zoo."""
