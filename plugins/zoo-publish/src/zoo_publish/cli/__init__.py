"""Commands of zoo-publish."""
