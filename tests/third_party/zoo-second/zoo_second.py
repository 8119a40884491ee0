"""A plugin that wants the name of another's method."""

from zoo_core.hookspecs import hookimpl
from zoo_core.spec import MethodSpec


@hookimpl
def zoo_methods():
    """Repeats ``cyclegan``."""
    return [MethodSpec("cyclegan", "zoo_second:Nothing", "Not the CycleGAN you know")]
