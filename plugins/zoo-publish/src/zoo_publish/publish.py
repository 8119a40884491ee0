"""A model directory becomes a repository of the Hub: all of it in one commit, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token

from zoo_core.catalogue.registry import CONFIG
from zoo_core.contracts.method import Method
from zoo_core.errors import HubError, HubUnreachableError, UsageError, WeightsError, ZooError
from zoo_core.host.plugins import PluginHost
from zoo_core.models.modeldir import (
    CARD,
    GOLDEN,
    MODEL,
    SAMPLES,
    TRAINING,
    build_method,
    read_config,
    weights_file,
)
from zoo_core.models.weights import loaded, tensor_header
from zoo_core.untrusted import file_sha256, is_commit, is_inside, member
from zoo_hub.failures import explained, status_of
from zoo_hub.reference import Reference, parse
from zoo_hub.settings import endpoint, offline
from zoo_publish.published_card import published_card
from zoo_train.data.trained_on import TRAINED_ON, read_trained_on
from zoo_train.golden import check_golden

FILES = (MODEL, CONFIG, GOLDEN, TRAINING, SAMPLES, TRAINED_ON)
"""What is uploaded of a model directory, beside its card; other files stay here."""
_PNG = b"\x89PNG\r\n\x1a\n"
_KEPT = (".gitattributes",)
"""Files of a repository that are the Hub's own."""


@dataclass(frozen=True)
class PublishedModel:
    """A model on the Hub.

    Attributes:
        repo: ``organisation/name``.
        revision: The commit, 40 digits.
        sha256: Hash of its weights.
        bytes: Size of its weights.
        method: The method with its weights.
        page: Its page for people.
    """

    repo: str
    revision: str
    sha256: str
    bytes: int
    method: Method[Any]
    page: str

    @property
    def weights(self) -> dict[str, Any]:
        """What a registry entry says of weights on the Hub."""
        return {
            "repo": self.repo,
            "revision": self.revision,
            "file": MODEL,
            "sha256": self.sha256,
            "bytes": self.bytes,
        }


def publish(
    directory: Path, repo: str, host: PluginHost, *, private: bool = False
) -> PublishedModel:
    """Uploads a model directory; an earlier version stays loadable by its revision.

    The model is loaded and compared with its golden outputs first.

    Args:
        directory: The model directory.
        repo: ``organisation/name``; created where it is not there.
        host: The plugins.
        private: Whether only its owners shall see it.

    Raises:
        WeightsError: If the directory holds no model that loads and computes what it should.
        UsageError: If the name is none, or a private model would go into a public repository.
        HubError: If the Hub refuses it or cannot be reached; what was there before is untouched.
    """
    asked = f"publish {repo}"
    _require_name(repo, asked)
    config = read_config(directory)
    method = loaded(lambda: build_method(config, host), weights_file(directory))
    files = {name: path for name in FILES if (path := member(directory, name)) is not None}
    if GOLDEN in files:
        check_golden(method, files[GOLDEN])
    _require_kinds(files)
    read_trained_on(directory)
    install = host.owner("method", config.method)
    card = published_card(directory, config, repo, install)
    added = [CommitOperationAdd(name, path) for name, path in files.items()]
    added.append(CommitOperationAdd(CARD, str(card).encode()))
    with _hub_errors(repo, asked):
        revision = _commit(repo, added, private, asked)
    weights = directory / MODEL
    return PublishedModel(
        repo,
        revision,
        file_sha256(weights),
        weights.stat().st_size,
        method,
        f"{endpoint()}/{repo}/tree/{revision}",
    )


def _require_kinds(files: Mapping[str, Path]) -> None:
    """Raises `WeightsError` where a file is not what its name says: what goes up stays there."""
    for name, path in files.items():
        if name.endswith(".safetensors"):
            tensor_header(path)
    if SAMPLES in files:
        with files[SAMPLES].open("rb") as file:
            if file.read(len(_PNG)) != _PNG:
                raise WeightsError("it is no PNG picture", asked=f"file {files[SAMPLES]}")


def _commit(repo: str, added: Sequence[CommitOperationAdd], private: bool, asked: str) -> str:
    """Makes the one commit, on top of the one that was there; returns it."""
    api = HfApi(endpoint=endpoint())
    api.create_repo(repo, private=private, exist_ok=True)
    info = api.model_info(repo)
    there = [item.rfilename for item in info.siblings or []]
    if not is_commit(str(info.sha)) or not all(is_inside(name) for name in there):
        raise _strange(asked)
    if private and not info.private:
        raise UsageError(
            "the repository is there already and public",
            asked=asked,
            hint="Make it private on its page, choose another name, or leave out --private.",
        )
    names = {operation.path_in_repo for operation in added} | set(_KEPT)
    operations: list[Any] = [*added]
    operations += [CommitOperationDelete(name) for name in there if name not in names]
    done = api.create_commit(
        repo,
        operations,
        commit_message="Model of the zoo",
        parent_commit=info.sha,
    )
    if not is_commit(str(done.oid)):
        raise _strange(asked)
    return str(done.oid)


def _strange(asked: str) -> HubError:
    return HubError(
        f"what answers at {endpoint()} is no Hub (it names files or commits that cannot be)",
        asked=asked,
        hint="Check HF_ENDPOINT, and what is in the repository now.",
    )


def _require_name(repo: str, asked: str) -> None:
    reference = parse(repo)
    if reference != Reference(reference.repo):
        raise UsageError(
            "it is no plain name of a model repository",
            asked=asked,
            hint="Write ORGANISATION/NAME.",
        )


@contextmanager
def _hub_errors(repo: str, asked: str) -> Iterator[None]:
    """Turns what the Hub or the network refuses into an error for people."""
    if offline():
        raise HubUnreachableError(
            "HF_HUB_OFFLINE forbids asking the Hub", asked=asked, hint="Unset HF_HUB_OFFLINE."
        )
    if get_token() is None:
        raise HubError(
            "the Hub takes models only with a token",
            asked=asked,
            hint="Give one that may write by HF_TOKEN or `hf auth login`.",
        )
    try:
        yield
    except ZooError:
        raise
    except Exception as fault:
        if status_of(fault) in (401, 403):
            raise HubError(
                f"the Hub at {endpoint()} does not let this token write there ({status_of(fault)})",
                asked=asked,
                hint=f"Use a token that may write to {repo.partition('/')[0]}.",
            ) from fault
        raise explained(fault, Reference(repo), asked) from fault
