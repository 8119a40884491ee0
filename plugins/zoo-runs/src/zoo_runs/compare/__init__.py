"""``zoo compare``: runs side by side, their settings, curves and pictures."""
