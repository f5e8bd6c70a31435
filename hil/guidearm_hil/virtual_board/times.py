"""What the board charges the main loop, us: made by `guidearm bench target --write-times`.

Counts on the code for a Cortex-M0+; cycles an instruction as in a tick of the emulated
RP2040, which runs at 125 MHz.
"""

READ_US = 43
READ_BYTE_US_Q8 = 58
WRITE_US = 115
