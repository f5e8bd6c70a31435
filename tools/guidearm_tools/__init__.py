"""What turns the firmware's sources into a running joint: its interpreter and its image."""
