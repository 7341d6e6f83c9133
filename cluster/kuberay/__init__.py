"""Keep RayJobs of KubeRay as `ablate submit --render rayjob` prints them, and what a namespace needs for them."""
