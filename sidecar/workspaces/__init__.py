"""What each workspace sees of the configuration, with its own keys and aliases in it."""
