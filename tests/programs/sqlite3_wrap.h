/*
 * SQLite 3.40's allocation functions, for -include with -fsanitize=alloc-token -fsanitize-alloc-token-extended, when it is
 * not built from the amalgamation (there most of them are static).
 *
 * Marked malloc and not alloc_size, as SQLite asks malloc_usable_size() how much it got and uses that.
 */
#include <stddef.h>
#include <typed_malloc.h>

struct sqlite3;
struct WhereInfo;

TYPED_MALLOC_WRAPPER(void *, sqlite3_malloc, (int n), (n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, sqlite3_malloc64, (unsigned long long n), (n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, sqlite3_realloc, (void *p, int n), (p, n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, sqlite3_realloc64, (void *p, unsigned long long n), (p, n), __malloc__)
#ifdef SQLITE_WRAP_INTERNAL /* in the library's own units and the tests linked with them */
TYPED_MALLOC_WRAPPER(void *, sqlite3Malloc, (unsigned long long n), (n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, sqlite3MallocZero, (unsigned long long n), (n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, sqlite3Realloc, (void *p, unsigned long long n), (p, n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, sqlite3DbMallocZero, (struct sqlite3 *db, unsigned long long n), (db, n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, sqlite3DbMallocRaw, (struct sqlite3 *db, unsigned long long n), (db, n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, sqlite3DbMallocRawNN, (struct sqlite3 *db, unsigned long long n), (db, n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, sqlite3DbRealloc, (struct sqlite3 *db, void *p, unsigned long long n), (db, p, n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, sqlite3DbReallocOrFree, (struct sqlite3 *db, void *p, unsigned long long n), (db, p, n),
		     __malloc__)
TYPED_MALLOC_WRAPPER(char *, sqlite3DbStrDup, (struct sqlite3 *db, const char *s), (db, s), __malloc__)
TYPED_MALLOC_WRAPPER(char *, sqlite3DbStrNDup, (struct sqlite3 *db, const char *s, unsigned long long n), (db, s, n),
		     __malloc__)
TYPED_MALLOC_WRAPPER(void *, sqlite3WhereMalloc, (struct WhereInfo *w, unsigned long long n), (w, n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, sqlite3WhereRealloc, (struct WhereInfo *w, void *p, unsigned long long n), (w, p, n),
		     __malloc__)
TYPED_MALLOC_WRAPPER(void *, sqlite3PageMalloc, (int n), (n), __malloc__)
#endif
