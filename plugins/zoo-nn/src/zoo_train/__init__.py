"""Training: the loop, its schedules, checkpoints, logs and alarms. Imports no torch by itself."""
