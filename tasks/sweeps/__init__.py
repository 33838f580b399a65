"""Draw the candidates of a sweep, train them by successive halving, rank them, and plot the result."""
