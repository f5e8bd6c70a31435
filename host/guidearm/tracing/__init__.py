"""Traces of the servo: what a capture says, as numbers, files and pictures."""
