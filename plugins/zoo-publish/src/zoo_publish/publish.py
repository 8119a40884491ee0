"""A model directory becomes a repository of the Hub: all of it in one commit, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token

from zoo_core.contracts.method import Method
from zoo_core.errors import HubError, HubUnreachableError, UsageError
from zoo_core.files import file_sha256
from zoo_core.host.plugins import PluginHost
from zoo_core.hub.failures import explained, status_of
from zoo_core.hub.reference import Reference, parse
from zoo_core.hub.settings import endpoint, offline
from zoo_core.models.golden import check_golden
from zoo_core.models.modeldir import (
    CARD,
    CONFIG,
    GOLDEN,
    MODEL,
    TRAINING,
    build_method,
    read_config,
)
from zoo_core.models.weights import rebuilt
from zoo_publish.published_card import SAMPLES, published_card

FILES = (MODEL, CONFIG, GOLDEN, TRAINING, SAMPLES)
"""What is uploaded of a model directory, beside its card; other files stay here."""
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
    method = rebuilt(lambda: build_method(config, host), directory / MODEL)
    if (directory / GOLDEN).is_file():
        check_golden(method, directory / GOLDEN)
    install = host.owner("method", config.method)
    card = published_card(directory, config, repo, install)
    added = [
        CommitOperationAdd(name, directory / name) for name in FILES if (directory / name).is_file()
    ]
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


def _commit(repo: str, added: Sequence[CommitOperationAdd], private: bool, asked: str) -> str:
    """Makes the one commit, on top of the one that was there; returns it."""
    api = HfApi(endpoint=endpoint())
    api.create_repo(repo, private=private, exist_ok=True)
    info = api.model_info(repo)
    if private and not info.private:
        raise UsageError(
            "the repository is there already and public",
            asked=asked,
            hint="Make it private on its page, choose another name, or leave out --private.",
        )
    names = {operation.path_in_repo for operation in added} | set(_KEPT)
    there = [item.rfilename for item in info.siblings or []]
    operations: list[Any] = [*added]
    operations += [CommitOperationDelete(name) for name in there if name not in names]
    done = api.create_commit(
        repo,
        operations,
        commit_message="Model of the zoo",
        parent_commit=info.sha,
    )
    return str(done.oid)


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
    except UsageError:
        raise
    except Exception as fault:
        if status_of(fault) in (401, 403):
            raise HubError(
                f"the Hub at {endpoint()} does not let this token write there ({status_of(fault)})",
                asked=asked,
                hint=f"Use a token that may write to {repo.partition('/')[0]}.",
            ) from fault
        raise explained(fault, Reference(repo), asked) from fault
