"""An exported model: what it says of itself, its targets, and uint8 pictures through it."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


class RunError(Exception):
    """What was asked, what is wrong, and what to do."""

    def __init__(self, problem: str, *, asked: str = "", hint: str = "") -> None:
        self.problem, self.asked, self.hint = problem, asked, hint
        super().__init__(f"{asked}: {problem}." + (f" {hint}" if hint else ""))


class ExportedModel:
    """A file that ``zoo export`` wrote, ready to translate.

    Args:
        path: ``NAME.onnx``, or ``NAME.xml`` for OpenVINO.
        threads: CPU threads; None for the library's own choice.

    Attributes:
        facts: What the file says of itself, as texts.
        domains: Names of the domains or attributes.
        targets: Those that it translates to; one where the target is fixed in the graph.

    Raises:
        RunError: If it is no such file, or the package that runs it is not installed.
    """

    def __init__(self, path: str | os.PathLike[str], *, threads: int | None = None) -> None:
        file = Path(path)
        asked = f"model {file}"
        if not file.is_file():
            raise RunError("there is no such file", asked=asked, hint="Make it: zoo export.")
        opened = {".onnx": _onnx, ".xml": _openvino}.get(file.suffix)
        if opened is None:
            raise RunError("its name must end in .onnx or .xml", asked=asked)
        try:
            self.facts, self._run = opened(file, threads)
        except ImportError as fault:
            hint = f"pip install {fault.name}"
            raise RunError(f"{fault.name} is not installed", asked=asked, hint=hint) from fault
        except Exception as fault:  # both libraries raise many kinds for damaged files
            first = str(fault).strip().partition("\n")[0][:200]
            raise RunError(f"it cannot be read ({first})", asked=asked) from fault
        if "crop_first" not in self.facts:
            hint = "Export it again with zoo export of this version."
            raise RunError("it does not say how pictures are prepared", asked=asked, hint=hint)
        self.name = str(self.facts["model"])
        self.domains: list[str] = self._read("domains")
        fixed = self.facts["target"]
        self.targets: list[str] = [fixed] if fixed else self._read("targets")
        self.size: tuple[int, int] = (self._read("trained_size")[0], self._read("trained_size")[1])
        self.any_size: bool = self._read("any_size")
        self.stride, self.least = int(self.facts["stride"]), int(self.facts["least_size"])
        self.scale = str(self.facts["scale"])
        self.resample = str(self.facts.get("resample", "bicubic"))  # older exports do not say it
        self.crop_first: int | None = self._read("crop_first")
        self.window = int(self.facts["window"])

    def target(self, to: str) -> npt.NDArray[Any] | None:
        """What the graph takes for a domain, or for attributes ``A,B=0``.

        () int64, its position; or (K,) float32, a number for each attribute; None where the target
        is fixed in the graph. A target that there is not raises `RunError`.
        """
        if self.facts["target"]:
            self._require(to, self.targets)
            return None
        if self.facts["domains_kind"] == "domains":
            self._require(to, self.targets)
            return np.array(self.domains.index(to), np.int64)
        vector = np.zeros(len(self.domains), np.float32)
        held = []
        for part in to.split(","):
            name, mark, value = part.partition("=")
            self._require(name.strip(), self.domains)
            try:
                vector[self.domains.index(name.strip())] = float(value) if mark else 1.0
            except ValueError:
                raise RunError(f'"{value}" is not a number', asked=f"--to {to}") from None
            held += [name.strip()] if not mark or float(value) else []
        for group in self._read("exclusive"):
            if len(set(group) & set(held)) > 1:
                raise RunError(f"at most one of {', '.join(group)} can hold", asked=to)
        return vector

    def translate(self, pictures: Bytes, to: str) -> Bytes:
        """uint8 (N, H, W, 3) RGB pictures of one size, as they are, to the same shape."""
        if not self.any_size and pictures.shape[1:3] != self.size:
            asked = f"pictures of shape {pictures.shape}"
            raise RunError(f"these nets work at {self.size} pixels only", asked=asked)
        feed: dict[str, Any] = {"picture": np.ascontiguousarray(pictures)}
        target = self.target(to)
        if target is not None:
            feed["target"] = np.repeat(target[None], len(pictures), axis=0)  # (N,) or (N, K)
        return np.asarray(self._run(feed))  # (N, H, W, 3)

    def _read(self, key: str) -> Any:
        return json.loads(self.facts[key])

    def _require(self, name: str, known: Sequence[str]) -> None:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f'Did you mean "{near[0]}"?' if near else f"Choose one of {', '.join(known)}."
            raise RunError("there is no such target", asked=f'target "{name}"', hint=hint)


def _onnx(path: Path, threads: int | None) -> tuple[Mapping[str, str], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    return facts, lambda feed: session.run(["translated"], feed)[0]


def _openvino(path: Path, threads: int | None) -> tuple[Mapping[str, str], Any]:
    import openvino

    core = openvino.Core()
    model = core.read_model(path)
    facts = {name: str(value) for name, value in model.get_rt_info("zoo").value.items()}
    settings = {"INFERENCE_NUM_THREADS": threads} if threads else {}
    compiled = core.compile_model(model, "CPU", settings)
    return facts, lambda feed: compiled(feed)[0].copy()
