"""Where trials run: fitting them to a cluster, and launching groups of workers that are given their loop."""
