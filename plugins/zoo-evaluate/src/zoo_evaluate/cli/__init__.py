"""Commands of zoo-evaluate."""
