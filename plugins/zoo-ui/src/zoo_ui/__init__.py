"""A page in the browser: choose a model, drop pictures or recordings, follow training runs."""
