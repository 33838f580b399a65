"""The servers around a command: the environment to set before they load, and those of our own."""
