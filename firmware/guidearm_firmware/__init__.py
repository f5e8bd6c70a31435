"""The joint's firmware as files to be put into an image; it runs on MicroPython only."""
