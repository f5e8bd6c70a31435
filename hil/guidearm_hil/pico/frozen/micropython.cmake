# MicroPython 1.25 aligns frozen code to two bytes, but this code loads its literals relative to a
# program counter that is taken to be a multiple of four.
set_source_files_properties(
    ${CMAKE_BINARY_DIR}/frozen_content.c
    PROPERTIES COMPILE_OPTIONS "-Daligned(bytes)=__aligned__(4)"
)
