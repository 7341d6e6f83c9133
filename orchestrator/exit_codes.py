"""Exit codes of the command line, in one place; docs/clusters.md says when each of them comes."""

EXIT_DONE = 0
EXIT_TRIAL_FAILED = 1
"""Or, of `ablate verify`: something on storage is damaged or missing."""
EXIT_BAD_INPUT = 2
"""Or, of `ablate doctor`, `data check` and `benchmarks check`: something will fail, is wrong or is incomplete; of
`ablate sync`: something did not arrive."""
EXIT_STOPPED = 3
"""Before the end: a limit, `ablate stop`, or a storage that is full, or was away for too long.

Or, of `ablate stop --wait`: a run is still there; of `ablate gc`: something was kept, as it is in use."""
EXIT_CRASH = 70
"""A defect of the program."""
EXIT_WITHOUT_RAY = 75
"""The cluster is gone: the same command may succeed."""
EXIT_SIGNAL = 128
"""Plus the number of the signal."""
