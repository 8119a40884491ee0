"""A self-hosted Hub for tests: real huggingface_hub runs against it on loopback.

It serves models, data sets and Spaces at pinned revisions, takes uploads, counts requests, and
misbehaves on demand::

    def test_something(hub):                    # the fixture of tests/conftest.py
        commit = hub.add("org/model", {"config.yaml": b"..."})
        hub.misbehave(Status(503), times=2)
        ...
        assert hub.count("GET") == 1
"""

from zoo_testing.hub_server.faults import (
    Claim,
    Close,
    Drip,
    Endless,
    Fault,
    Garble,
    Hang,
    Status,
    Truncate,
)
from zoo_testing.hub_server.repositories import Repository
from zoo_testing.hub_server.requests import TOKEN, HubRequest
from zoo_testing.hub_server.server import HubServer

__all__ = [
    "TOKEN",
    "Claim",
    "Close",
    "Drip",
    "Endless",
    "Fault",
    "Garble",
    "Hang",
    "HubRequest",
    "HubServer",
    "Repository",
    "Status",
    "Truncate",
]
