"""Measurements side by side with peers: each figure stands beside the peer's from the same run (`make benchmark`)."""
