from zoo_core.hookspecs import hookimpl
from zoo_core.spec import MethodSpec

@hookimpl
def zoo_methods():
    return [MethodSpec("tiny", "zoo_tiny.method:Tiny", "Small painters", presets=("32px",))]
