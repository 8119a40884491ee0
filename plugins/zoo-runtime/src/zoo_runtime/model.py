"""An exported model: what it says of itself, its targets, and uint8 pictures through it."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zoo_runtime.facts import Facts
from zoo_runtime.text import printable

Bytes = npt.NDArray[np.uint8]
LARGEST_FILE = 1_100_000_000
"""Most bytes of a model: 250 million parameters, and what else a graph holds."""
_ELSEWHERE = "session.model_external_initializers_file_folder_path"


class RunError(Exception):
    """What was asked, what is wrong, and what to do."""

    def __init__(self, problem: str, *, asked: str = "", hint: str = "") -> None:
        self.problem, self.asked, self.hint = map(printable, (problem, asked, hint))
        super().__init__(f"{self.asked}: {self.problem}." + (f" {self.hint}" if hint else ""))


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
        except RunError:
            raise
        except ImportError as fault:
            hint = f"pip install {fault.name}"
            raise RunError(f"{fault.name} is not installed", asked=asked, hint=hint) from fault
        except Exception as fault:  # both libraries raise many kinds for damaged files
            raise RunError(f"it cannot be read ({_first(fault)})", asked=asked) from fault
        hint = "Export it again with zoo export of this version."
        if "crop_first" not in self.facts:
            raise RunError("it does not say how pictures are prepared", asked=asked, hint=hint)
        try:
            said = Facts.read(self.facts)
        except ValueError as fault:
            problem = f'what it says of itself cannot be (key "{fault}")'
            raise RunError(problem, asked=asked, hint=hint) from fault
        self.name, self.domains, self.targets = said.name, said.domains, said.targets
        self.size, self.any_size, self.scale = said.size, said.any_size, said.scale
        self.stride, self.least, self.window = said.stride, said.least, said.window
        self.crop_first, self.resample, self._said = said.crop_first, said.resample, said

    def target(self, to: str) -> npt.NDArray[Any] | None:
        """What the graph takes for a domain, or for attributes ``A,B=0``.

        () int64, its position; or (K,) float32, a number for each attribute; None where the target
        is fixed in the graph. A target that there is not raises `RunError`.
        """
        if self._said.fixed:
            self._require(to, self.targets)
            return None
        if not self._said.are_attributes:
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
        for group in self._said.exclusive:
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
        try:
            made = np.asarray(self._run(feed))  # (N, H, W, 3)
        except Exception as fault:  # both libraries raise many kinds
            raise RunError(f"the graph cannot be run ({_first(fault)})", asked=self.name) from fault
        if made.dtype != np.uint8 or made.shape != pictures.shape:
            problem = f"the graph gives {made.dtype} {made.shape}, no pictures of that size"
            raise RunError(problem, asked=self.name)
        return made

    def _require(self, name: str, known: Sequence[str]) -> None:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f'Did you mean "{near[0]}"?' if near else f"Choose one of {', '.join(known)}."
            raise RunError("there is no such target", asked=f'target "{name}"', hint=hint)


def _first(fault: Exception) -> str:
    """The first line of what a library says."""
    return str(fault).strip().partition("\n")[0][:200]


def _content(path: Path) -> bytes:
    """The bytes of a file of a model, within the bound."""
    if (size := path.stat().st_size) > LARGEST_FILE:
        problem = f"it has {size:,} bytes, more than the {LARGEST_FILE:,} that are read"
        raise RunError(problem, asked=f"model {path}")
    return path.read_bytes()


def _onnx(path: Path, threads: int | None) -> tuple[Mapping[str, str], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 3
    # A graph may name files that hold its numbers. Those of zoo export name none, and of a
    # stranger's graph none is opened: they would be looked for in a folder that cannot be.
    options.add_session_config_entry(_ELSEWHERE, str(path / "none"))
    session = onnxruntime.InferenceSession(
        _content(path), options, providers=["CPUExecutionProvider"]
    )
    facts = session.get_modelmeta().custom_metadata_map
    return facts, lambda feed: session.run(["translated"], feed)[0]


def _openvino(path: Path, threads: int | None) -> tuple[Mapping[str, str], Any]:
    import openvino

    core = openvino.Core()
    weights = np.frombuffer(_content(path.with_suffix(".bin")), np.uint8)
    model = core.read_model(_content(path), openvino.Tensor(weights))  # so that no file is named
    facts = {name: str(value) for name, value in model.get_rt_info("zoo").value.items()}
    settings = {"INFERENCE_NUM_THREADS": threads} if threads else {}
    compiled = core.compile_model(model, "CPU", settings)
    return facts, lambda feed: compiled(feed)[0].copy()
