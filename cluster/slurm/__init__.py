"""Keep the batch script that `ablate submit --render sbatch` prints."""
