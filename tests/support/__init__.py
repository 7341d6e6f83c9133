"""Small studies, trials, checkpoints and official files that several tests use."""
