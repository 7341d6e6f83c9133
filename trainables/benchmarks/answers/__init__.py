"""Read answers that were made elsewhere, in the forms of benchmarks and harnesses, and join them to their questions."""
