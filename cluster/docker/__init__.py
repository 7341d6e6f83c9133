"""Keep the container image of the nodes of a cluster."""
