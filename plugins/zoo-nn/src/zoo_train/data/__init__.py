"""Where signals come from: sources in plain words, and unpaired sampling from them."""
