"""A plugin that wants the name of another's method."""

from zoo_core.contracts.component import MethodSpec
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components():
    """Repeats ``cyclegan``."""
    return [MethodSpec("cyclegan", "zoo_second:Nothing", "Not the CycleGAN you know")]
