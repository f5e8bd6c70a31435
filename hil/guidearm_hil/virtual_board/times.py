"""What the board charges the main loop, us: made by `guidearm bench target --write-times`.

Counts on the code for a Cortex-M0+, at 1.8 cycles an instruction and 125 MHz.
"""

READ_US = 48
READ_BYTE_US_Q8 = 62
WRITE_US = 123
