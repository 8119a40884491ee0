"""How good a conversion of voices is: distances, judges, and a benchmark."""
