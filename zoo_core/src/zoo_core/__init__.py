"""The core of zoo: contracts, plugin host, catalogue, loop, evaluation."""
