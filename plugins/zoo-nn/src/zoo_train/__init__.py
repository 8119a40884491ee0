"""Training: from sources to a run, its loop, checkpoints, logs and model. Imports no torch."""
