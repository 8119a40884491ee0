"""Translation tied by a frozen pretrained embedding: a plugin for zoo."""
