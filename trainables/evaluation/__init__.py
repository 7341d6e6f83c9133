"""Score trained models: batch the questions independently of hardware, answer them, score every example."""
