/* Reset on QEMU's "sim" board with the ESP8266's core: the stack pointer, then the program. */

        .section .reset, "ax"
        .global reset
reset:
        j       start
        .section .start, "ax"
        .literal_position
        .global start
start:
        movi    a1, stack_top
        call0   board_main
forever:
        j       forever
