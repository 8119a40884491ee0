"""A plugin with a hook that does not exist."""

from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_component():
    """Misspelt: the hook is ``zoo_components``."""
    return []
