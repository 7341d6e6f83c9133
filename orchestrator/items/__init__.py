"""Read and check scores per question that were made elsewhere, and judge claims about them as those of a study."""
