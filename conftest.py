"""What holds for the tests of all distributions."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds what `make test-cpus` sets."""
    parser.addoption(
        "--auto-precision",
        choices=("float32", "bfloat16"),
        help="what the precision `auto` is on the CPU, whatever this CPU is good at",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Answers for the CPU, in this process, the question that the choice of `auto` rests on.

    Where a CPU has no instructions for bfloat16, torch computes it in float32 and rounds, so that
    results are rounded alike on every CPU.
    """
    precision = config.getoption("--auto-precision")
    if precision is not None:
        import torch

        torch.cpu._is_amx_tile_supported = lambda: precision == "bfloat16"
