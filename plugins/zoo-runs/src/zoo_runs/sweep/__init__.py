"""``zoo sweep``: many runs with other settings, chosen by what earlier ones came to."""
