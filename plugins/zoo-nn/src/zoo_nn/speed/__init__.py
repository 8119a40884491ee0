"""Ways to run training steps faster than operation by operation; their results are the same."""
