"""Side-by-side measurements against peers: each figure stands beside the peer's from the same run (`make benchmark`)."""
