"""A page in the browser: choose a model, drop pictures, see and keep the translations."""
