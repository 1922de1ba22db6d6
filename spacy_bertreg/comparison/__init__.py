"""Models compared on the same test set, with uncertainty."""
