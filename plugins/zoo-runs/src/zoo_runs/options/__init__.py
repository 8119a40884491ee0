"""What can be set: ``zoo options`` explains the options of methods, losses and trainings."""
