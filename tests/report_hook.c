/* report_program with a hook. */
#define WITH_HOOK
#include "report_program.c"
