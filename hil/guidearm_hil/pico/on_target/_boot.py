"""Runs first at boot, in place of MicroPython's own, which would make a file system in the flash.

There is none here: the firmware is frozen, and its parameters have flash sectors of their own.
"""
