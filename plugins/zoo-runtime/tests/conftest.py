"""Fixtures of the kit."""

from zoo_testing.fixtures import *  # noqa: F403
