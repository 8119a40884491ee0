"""Not the zoo's."""
