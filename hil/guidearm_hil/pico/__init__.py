"""The rig `pico`: genuine MicroPython for a Raspberry Pi Pico, in an emulated RP2040."""
