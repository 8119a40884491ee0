"""Speech, and conversion of voices, for zoo."""
