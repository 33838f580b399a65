"""Files of every known format as documents; what is not known is refused by what it is."""
