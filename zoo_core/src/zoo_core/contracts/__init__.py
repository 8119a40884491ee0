"""What a method author reads: interfaces, signals, steps, methods and their descriptions."""
