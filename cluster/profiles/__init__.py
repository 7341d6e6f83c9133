"""Keep profiles of clusters, a file each; `cluster.profile` reads them."""
