"""From inputs to outputs through a loaded model."""
