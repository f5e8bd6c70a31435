/* Head and tables of the emulated RP2040's boot ROM; the RP2040 datasheet, 2.8.3, has their layout.
 *
 * Breakpoints tell the emulator: 0 and 1 to erase and to program flash with the arguments in r0 to
 * r3, 2 that something was called which is not here (its return address is in lr). flash.mjs and
 * board.mjs have the other end.
 */
        .syntax unified
        .cpu cortex-m0plus
        .thumb

        .section .head, "a"
        .word   0x20042000              /* stack */
        .word   rom_missing             /* reset, NMI, hard fault: the emulator starts at the flash */
        .word   rom_missing
        .word   rom_missing
        .byte   'M', 'u', 1, 3          /* version 3: float tables of 32 entries */
        .hword  functions
        .hword  data
        .hword  lookup

        .macro  entry a, b, function
        .byte   \a, \b
        .hword  \function + 1
        .endm

        .balign 4
functions:
        entry   'P', '3', rom_popcount32
        entry   'R', '3', rom_reverse32
        entry   'L', '3', rom_clz32
        entry   'T', '3', rom_ctz32
        entry   'M', 'S', rom_memset
        entry   'S', '4', rom_memset
        entry   'M', 'C', rom_memcpy
        entry   'C', '4', rom_memcpy
        entry   'U', 'B', rom_missing   /* restart as a USB drive */
        entry   'D', 'T', rom_missing
        entry   'D', 'E', rom_missing
        entry   'W', 'V', rom_missing   /* where the second core waits */
        entry   'I', 'F', rom_nothing   /* flash: connect, leave execution in place, */
        entry   'E', 'X', rom_nothing
        entry   'R', 'E', rom_flash_erase
        entry   'R', 'P', rom_flash_program
        entry   'F', 'C', rom_nothing   /* flush its cache, return to execution in place */
        entry   'C', 'X', rom_nothing
        .hword  0, 0
data:
        .byte   'S', 'F'
        .hword  float_table
        .byte   'S', 'D'
        .hword  double_table
        .hword  0, 0
        .equ    lookup, rom_lookup + 1

        /* the same order for float and double; the size in words stands before each */
        .balign 4
        .byte   0, 0, 32, 0
float_table:
        .word   __aeabi_fadd, __aeabi_fsub, __aeabi_fmul, __aeabi_fdiv
        .word   rom_missing, rom_missing, rom_fsqrt
        .word   rom_float2int, rom_missing, rom_float2uint, rom_missing
        .word   __aeabi_i2f, rom_missing, __aeabi_ui2f, rom_missing
        .word   rom_missing, rom_missing, rom_missing, rom_missing, rom_missing, rom_missing
        .word   rom_missing, rom_missing
        .word   __aeabi_l2f, rom_missing, __aeabi_ul2f, rom_missing
        .word   rom_float2int64, rom_missing, rom_float2uint64, rom_missing
        .word   __aeabi_f2d

        .byte   0, 0, 32, 0
double_table:
        .word   __aeabi_dadd, __aeabi_dsub, __aeabi_dmul, __aeabi_ddiv
        .word   rom_missing, rom_missing, rom_dsqrt
        .word   rom_double2int, rom_missing, rom_double2uint, rom_missing
        .word   __aeabi_i2d, rom_missing, __aeabi_ui2d, rom_missing
        .word   rom_missing, rom_missing, rom_missing, rom_missing, rom_missing, rom_missing
        .word   rom_missing, rom_missing
        .word   __aeabi_l2d, rom_missing, __aeabi_ul2d, rom_missing
        .word   rom_double2int64, rom_missing, rom_double2uint64, rom_missing
        .word   __aeabi_d2f

        .section .text.flash, "ax"
        .thumb_func
        .type   rom_flash_erase, %function
rom_flash_erase:
        bkpt    #0
        bx      lr
        .thumb_func
        .type   rom_flash_program, %function
rom_flash_program:
        bkpt    #1
        bx      lr
        .thumb_func
        .type   rom_missing, %function
        .global rom_missing
rom_missing:
        bkpt    #2
        b       rom_missing
