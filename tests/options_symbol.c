/* options_program with options compiled in. */
#define WITH_SYMBOL "stats=1:partition=none"
#include "options_program.c"
