"""Optical tracking: frames, the tracker's data sheet, error propagation, OpenIGTLink."""

from guidearm.tracking.covariance import marker_covariance
from guidearm.tracking.datasheet import (
    DataSheet,
    default_spheres,
    read_data_sheet,
    write_data_sheet,
)
from guidearm.tracking.frames import (
    ARM_MARKER,
    MARKERS,
    PATIENT,
    MarkerPose,
    MarkerStatus,
    Tracker,
    TrackerFrame,
)
from guidearm.tracking.igtl_client import IgtlTracker
from guidearm.tracking.urls import open_tracker

__all__ = [
    "ARM_MARKER",
    "MARKERS",
    "PATIENT",
    "DataSheet",
    "IgtlTracker",
    "MarkerPose",
    "MarkerStatus",
    "Tracker",
    "TrackerFrame",
    "default_spheres",
    "marker_covariance",
    "open_tracker",
    "read_data_sheet",
    "write_data_sheet",
]
