"""Play the first hour of a new user, and compare what is printed with what the documents show."""
