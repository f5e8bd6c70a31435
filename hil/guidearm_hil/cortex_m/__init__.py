"""The rig `cortex-m`: the firmware frozen into MicroPython for a Cortex-M3 in QEMU.

Its clock counts instructions, so what it measures is exact and the same on every machine. It has
no motor and no bus; `on_target` holds what runs there.
"""
