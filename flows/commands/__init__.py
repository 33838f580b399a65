"""The commands of `w2v`, by what they are for. Heavy imports wait inside them, so that `--help` answers at once."""
