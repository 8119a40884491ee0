"""Fixtures of the kit."""

from zoo_testing.fixtures import *  # noqa: F403
from zoo_testing.hub_fixtures import *  # noqa: F403
