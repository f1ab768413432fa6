#include "unit.h"

#include "os.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define LEN ((size_t)1 << 20)

static char *memory;

static void set_up(void)
{
	ty_os_init();
	memory = ty_os_reserve(LEN);
	cr_assert(memory);
}
TestSuite(os, .init = set_up);

static void poke(void *p) { *(volatile char *)p = 1; }

Test(os, reserved_memory_faults)
{
	ASSERT_FAULTS(poke, memory);
	ASSERT_FAULTS(poke, memory + LEN - 1);
}

Test(os, enable_then_purge)
{
	size_t half = LEN / 2;
	cr_assert(ty_os_enable(memory, half, TY_HUGE_NEVER));
	for (size_t i = 0; i < half; i += 512)
		cr_assert(memory[i] == 0);
	memset(memory, 5, half);
	ASSERT_FAULTS(poke, memory + half);
	size_t page = ty_os_page_size();
	cr_assert(ty_os_purge(memory + page, half - 2 * page));
	cr_assert(memory[page - 1] == 5 && memory[half - page] == 5, "not outside");
	for (size_t i = page; i < half - page; i += 64)
		cr_assert(memory[i] == 0);
	memory[page] = 6; /* usable again */
}

Test(os, guard_and_back)
{
	size_t page = ty_os_page_size();
	cr_assert(ty_os_enable(memory, LEN, TY_HUGE_NEVER));
	memset(memory, 5, LEN);
	if (!ty_os_guard(memory + page, 3 * page))
		cr_skip("no guards here");
	ASSERT_FAULTS(poke, memory + page);
	ASSERT_FAULTS(poke, memory + 4 * page - 1);
	cr_assert(memory[page - 1] == 5 && memory[4 * page] == 5);
	cr_assert(ty_os_unguard(memory + page, 3 * page, 1));
	for (size_t i = page; i < 4 * page; i++)
		cr_assert(memory[i] == 0);
}

static size_t mappings(void)
{
	size_t n = 0;
	FILE *f = fopen("/proc/self/maps", "r");
	for (int c; (c = getc(f)) != EOF;)
		n += c == '\n';
	fclose(f);
	return n;
}

Test(os, guards_cost_no_mapping)
{
	if (!ty_os_cheap_guards())
		cr_skip("an old kernel");
	cr_assert(ty_os_enable(memory, LEN, TY_HUGE_NEVER));
	size_t before = mappings(), page = ty_os_page_size();
	for (size_t i = 0; i + 2 * page <= LEN; i += 2 * page)
		cr_assert(ty_os_guard(memory + i, page));
	cr_assert(mappings() <= before + 2);
}

/* Is `flag' among those of the mapping at p? */
static bool has_flag(const void *p, const char *flag)
{
	char line[512], word[8];
	uintptr_t start;
	bool here = false, yes = false;
	FILE *f = fopen("/proc/self/smaps", "r");

	snprintf(word, sizeof word, " %s ", flag);
	while (fgets(line, sizeof line, f)) {
		if (sscanf(line, "%" SCNxPTR "-", &start) == 1 && strchr(line, '-'))
			here = start == (uintptr_t)p;
		yes = yes || (here && !strncmp(line, "VmFlags:", 8) && strstr(line, word));
	}
	fclose(f);
	return yes;
}

Test(os, huge_pages_only_where_wanted)
{
	if (access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK))
		cr_skip("no huge pages here");
	cr_assert(ty_os_enable(memory, LEN / 2, TY_HUGE_WANTED) && ty_os_enable(memory + LEN / 2, LEN / 2, TY_HUGE_NEVER));
	cr_assert(has_flag(memory, "hg") && !has_flag(memory, "nh"));
	cr_assert(has_flag(memory + LEN / 2, "nh") && !has_flag(memory + LEN / 2, "hg"));
	/* What was given back and reserved again is as before. */
	char *other = ty_os_reserve(LEN);
	cr_assert(other && ty_os_release(other, LEN) && ty_os_reserve_at(other, LEN) && ty_os_enable(other, LEN, TY_HUGE_NEVER));
	cr_assert(has_flag(other, "nh"));
}

/* Nobody can take enabled memory away again. */
Test(os, sealed)
{
	if (!ty_os_cheap_guards())
		cr_skip("an old kernel");
	cr_assert(ty_os_enable(memory, LEN, TY_HUGE_NEVER));
	cr_assert(munmap(memory, LEN) == -1 && errno == EPERM);
	cr_assert(mprotect(memory, LEN, PROT_NONE) == -1 && errno == EPERM);
	cr_assert(mmap(memory, LEN, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
	memory[0] = 1;
}

Test(os, errno_is_kept)
{
	errno = 42;
	cr_assert(!ty_os_reserve((size_t)1 << 60));
	cr_assert(!ty_os_enable((void *)0x10000, 65536, TY_HUGE_NEVER) && !ty_os_purge((void *)0x10000, 65536));
	char c;
	ty_os_read_file("/no/such/file", &c, 1);
	cr_assert(ty_os_open_append("/no/such/file") == -1);
	ty_os_write(-1, "x", 1);
	cr_assert(errno == 42);
}

Test(os, space_left)
{
	cr_assert(ty_os_space_left() == SIZE_MAX || ty_os_space_left() > LEN);
	struct rlimit r = {(size_t)4 << 30, RLIM_INFINITY};
	cr_assert(!setrlimit(RLIMIT_AS, &r));
	size_t left = ty_os_space_left();
	cr_assert(left < (size_t)4 << 30 && left > (size_t)1 << 30);
	cr_assert(ty_os_reserve((size_t)1 << 29));
	cr_assert(ty_os_space_left() <= left - ((size_t)1 << 29));
	cr_assert(!ty_os_reserve((size_t)8 << 30));
}

/* Different places in different processes. */
Test(os, reservations_are_random)
{
	char *again = ty_os_reserve(LEN);
	cr_assert(again && again != memory);
	char a[16] = {0}, b[16] = {0};
	cr_assert(ty_os_random(a, 16) && ty_os_random(b, 16) && memcmp(a, b, 16));
}

Test(os, clock)
{
	u64 t = ty_os_now_ms();
	usleep(30000);
	cr_assert(ty_os_now_ms() >= t + 10 && ty_os_now_ms() < t + 10000);
	cr_assert(ty_os_pid() == getpid());
}
