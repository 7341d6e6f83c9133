"""What a study would do and take: preflight, estimates, the plan as JSON."""
