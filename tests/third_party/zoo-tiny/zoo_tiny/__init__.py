from zoo_core.host.hookspecs import hookimpl
from zoo_core.contracts.component import MethodSpec

@hookimpl
def zoo_components():
    return [MethodSpec("tiny", "zoo_tiny.method:Tiny", "Small painters", presets=("32px",))]
