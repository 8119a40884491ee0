"""Two auto-encoders without a tie, the baseline: a plugin for zoo."""
