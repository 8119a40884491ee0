"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.component import Component
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """The command zoo export, and the engines that run what was exported."""
    here = "zoo_export"
    return [
        Component("command", "export", f"{here}.command:export", "Write a model as one graph."),
        Component(
            "engine",
            "openvino",
            f"{here}.engines:OpenVino",
            "OpenVINO on the CPU: pip install openvino",
        ),
        Component(
            "engine", "onnxruntime", f"{here}.engines:OnnxRuntime", "ONNX Runtime on the CPU"
        ),
    ]
