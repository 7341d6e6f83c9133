"""Read, check and prepare the data of a trial, mix it exactly, and plan batches independently of hardware."""
