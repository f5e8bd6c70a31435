"""Spatial mapping: the image in the patient marker's frame."""

from guidearm.mapping.registration import (
    Registration,
    read_registration,
    write_registration,
)

__all__ = ["Registration", "read_registration", "write_registration"]
