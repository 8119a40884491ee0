"""Versions, plugins and devices."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from zoo_core.catalogue.registry import Registry
from zoo_core.host.plugins import PluginHost
from zoo_core.untrusted import read_yaml_file
from zoo_doctor.finding import Finding, State

UNSAFE = Path(__file__).with_name("unsafe.yaml")
"""Versions with published holes."""
_OLDEST, _NEWEST = (3, 11), (3, 13)


def versions() -> Iterator[Finding]:
    """Python, and every installed package that the zoo needs or that the table names."""
    right = _OLDEST <= sys.version_info[:2] <= _NEWEST
    yield Finding(
        "versions",
        "python",
        "ok" if right else "wrong",
        platform.python_version(),
        "" if right else "Use Python 3.11 to 3.13.",
    )
    unsafe = read_yaml_file(UNSAFE)["packages"]
    required = _required()
    for name in sorted({*unsafe, *required}):
        version = _installed(name)
        if version is None:
            continue
        bound = unsafe.get(name)
        outside = [text for text in required.get(name, ()) if not _allows(text, version)]
        if bound is not None and version < Version(bound["below"]):
            yield Finding("versions", name, "wrong", f"{version}: {bound['why']}", _upgrade(name))
        elif outside:
            found = f"{version}, but what is installed needs {', '.join(outside)}"
            yield Finding("versions", name, "wrong", found, _upgrade(name))
        else:
            yield Finding("versions", name, "ok", str(version))


def plugins(host: PluginHost) -> Iterator[Finding]:
    """Plugins and their registries."""
    registry = Registry.load(host)
    for plugin in host.plugins:
        texts = [p.text for p in registry.problems if p.distribution == plugin.distribution]
        problem = "; ".join([*([plugin.problem] if plugin.problem else []), *texts])
        mend = f"Update it, or pip uninstall {plugin.distribution}." if problem else ""
        state: State = "wrong" if problem else "ok"
        found = problem or f"{plugin.distribution} {plugin.version}"
        yield Finding("plugins", plugin.name, state, found, mend)
    for item, owner in host.unused:
        found = f"{item.kind} of {owner}, which no package here uses"
        yield Finding("plugins", item.name, "note", found)


def devices() -> Iterator[Finding]:
    """What torch can compute on."""
    try:
        import torch
    except Exception as fault:  # a broken installation raises many kinds
        found = f"torch cannot be imported: {type(fault).__name__}: {str(fault)[:200]}"
        yield Finding("devices", "torch", "wrong", found, "Install torch again.")
        return
    threads = f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    yield Finding("devices", "cpu", "ok", threads)
    for number in range(torch.cuda.device_count()):
        yield Finding("devices", f"cuda:{number}", "ok", torch.cuda.get_device_name(number))
    if torch.version.cuda and not torch.cuda.device_count() and Path("/dev/nvidia0").exists():
        found = f"there is a GPU, which torch (built for CUDA {torch.version.cuda}) cannot use"
        yield Finding(
            "devices", "cuda", "wrong", found, "Update the driver, or install torch anew."
        )
    if torch.backends.mps.is_available():
        yield Finding("devices", "mps", "ok", "Apple's GPU")


def _required() -> dict[str, list[str]]:
    """What the installed distributions of the zoo need, by package; extras left out."""
    found: dict[str, list[str]] = {}
    for owner in {plugin.name for plugin in metadata.distributions() if _is_ours(plugin)}:
        for text in metadata.requires(owner) or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                name = canonicalize_name(requirement.name)
                found.setdefault(name, []).append(str(requirement.specifier))
    return {name: sorted(set(texts)) for name, texts in found.items()}


def _is_ours(distribution: metadata.Distribution) -> bool:
    entries = distribution.entry_points.select(group="zoo")
    return bool(entries) or distribution.name == "zoo-core"


def _installed(name: str) -> Version | None:
    try:
        return Version(metadata.version(name))
    except (metadata.PackageNotFoundError, InvalidVersion, TypeError):
        return None


def _allows(specifier: str, version: Version) -> bool:
    return Requirement(f"x{specifier}").specifier.contains(version, prereleases=True)


def _upgrade(name: str) -> str:
    return f"pip install --upgrade {name}"
