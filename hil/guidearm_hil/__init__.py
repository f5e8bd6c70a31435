"""The virtual rig: joints, bus, patient, tracker, faults and the judge."""
