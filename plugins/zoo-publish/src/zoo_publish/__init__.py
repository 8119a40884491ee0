"""Publishing models of zoo, and keeping its registry."""
