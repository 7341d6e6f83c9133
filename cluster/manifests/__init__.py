"""Write a study as what a cluster takes: a RayJob, a batch script, a cluster of `ray up`. Nothing is applied."""
