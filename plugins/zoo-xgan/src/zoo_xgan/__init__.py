"""DTN and XGAN for zoo: translation through a common semantic space."""
