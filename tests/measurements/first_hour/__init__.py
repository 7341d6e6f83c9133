"""Tests of the first hour of a new user, played."""
