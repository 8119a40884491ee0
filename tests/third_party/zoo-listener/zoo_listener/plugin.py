"""Entry module: light, imports no torch."""

from zoo_core.contracts.component import Component
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components():
    return [
        Component("extractor", "moments", "zoo_listener.things:Moments", "Mean and deviation"),
        Component("metric", "length", "zoo_listener.things:Length", "Seconds of a recording"),
        Component("perturbation", "flip", "zoo_listener.things:Flip", "The sign changed"),
        Component("judge-architecture", "loudness", "zoo_listener.things:Loudness", "By loudness"),
        Component("command", "hello", "zoo_listener.things:hello", "Greets."),
    ]
