"""Disturb the toy study of this folder in every way that can be imitated, and compare it with the undisturbed one."""
