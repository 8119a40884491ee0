"""Foreign checkpoints: recognised, mapped strictly onto our nets, and kept as safetensors."""
