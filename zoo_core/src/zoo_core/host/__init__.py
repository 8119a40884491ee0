"""Plugins: the hooks, and the host that loads them."""
