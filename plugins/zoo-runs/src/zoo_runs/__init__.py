"""What follows a training run: trackers, alarms and whole samples."""
