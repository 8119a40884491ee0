"""What holds for the tests of all distributions."""

import signal

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds what `make test-cpus` sets."""
    parser.addoption(
        "--auto-precision",
        choices=("float32", "bfloat16"),
        help="what the precision `auto` is on the CPU, whatever this CPU is good at",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Restores the signals that tests send, and answers for the CPU what `--auto-precision` says.

    A shell that runs the tests in the background, or `nohup`, has SIGINT and SIGHUP ignored, which
    every process below would inherit.

    Where a CPU has no instructions for bfloat16, torch computes it in float32 and rounds, so that
    results are rounded alike on every CPU.
    """
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
    precision = config.getoption("--auto-precision")
    if precision is not None:
        import torch

        torch.cpu._is_amx_tile_supported = lambda: precision == "bfloat16"
