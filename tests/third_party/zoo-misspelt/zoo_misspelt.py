"""A plugin with a hook that does not exist."""

from zoo_core.hookspecs import hookimpl


@hookimpl
def zoo_method():
    """Misspelt: the hook is ``zoo_methods``."""
    return []
