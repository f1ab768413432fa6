/* A plug-in that conform_deepbind opens with RTLD_DEEPBIND. */
#include <stdlib.h>
#include <string.h>

void *deep_make(size_t n);
char *deep_copy(const char *s);
void deep_free(void *p);

void *deep_make(size_t n) { return malloc(n); }
char *deep_copy(const char *s) { return strdup(s); }
void deep_free(void *p) { free(p); }
