"""What results say: scores per example, effects with their intervals, verdicts, and tables of scores alone."""
