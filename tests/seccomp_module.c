/* What libseccomp's function is called, and no more: preloaded behind the library, which has one of that name itself. */
enum { LOADED = 42 };

int seccomp_load(const void *filter);
int seccomp_load(const void *filter)
{
	(void)filter;
	return LOADED;
}
