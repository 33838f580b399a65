"""Read files of every known format as documents; refuse other formats by name, with the way to convert them."""
