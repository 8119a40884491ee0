"""Models on the Hugging Face Hub: named, fetched, verified and kept in a cache of our own."""
