"""What the firmware costs on the target, measured on the rigs that count instructions."""
