/* stats.c: see stats.h. */
#define _GNU_SOURCE
#include "stats.h"
#include "chars.h"
#include "named.h"
#include "stock.h"
#include "sweep.h"
#include "track.h"

/* Per-cache sums, kept in a table of our own for the time of one report, in the order in which the caches were made. */
struct sums {
	struct ty_cache **cache;
	struct ty_cache_stat *stat;
	size_t n, bytes;
};

/* NULL: made after the sums were begun, or no cache: what other threads change is read as it is. */
static struct ty_cache_stat *sum_of(const struct sums *u, u32 id)
{
	const struct ty_cache *c = ty_cache_ptr(id);
	return ty_meta_has(id) && c->nth < u->n && u->cache[c->nth] == c ? &u->stat[c->nth] : NULL;
}

static void add_slab(struct ty_cache_stat *t, struct ty_slab *s)
{
	t->slabs++;
	t->live += ty_slab_count_live(s);
	t->committed += s->nil ? 0 : s->part && s->touched ? TY_PART : (size_t)s->touched << TY_PAGE_SHIFT;
}

static void add_span(struct ty_cache_stat *t, const struct ty_span *x)
{
	t->slabs++;
	t->live += x->state == TY_SPAN_LIVE;
	if (x->state != TY_SPAN_COLD)
		t->committed += x->extent;
}

/* Call for every slab and span. */
static void walk(void (*visit)(void *arg, struct ty_slab *s), void *arg)
{
	for (u32 id = TY_META_SLAB_FIRST, end = ty_meta_slab_end(); id < end; id = ty_meta_slab_after(id)) {
		struct ty_slab *s = ty_slab_ptr(id);
		if (TY_LOAD(&s->cache))
			visit(arg, s);
	}
}

static void visit_sums(void *arg, struct ty_slab *s)
{
	struct ty_cache_stat *t = sum_of(arg, s->cache);
	if (!t)
		return;
	if (s->nslots)
		add_slab(t, s);
	else if (s->state >= TY_SPAN_LIVE)
		add_span(t, (struct ty_span *)(void *)s);
}

static bool sums_make(struct sums *u)
{
	struct ty_index_totals totals;

	ty_index_totals(&totals);
	size_t room = totals.caches + 1;
	size_t per = sizeof *u->cache + sizeof *u->stat;
	u->bytes = TY_META_UNIT;
	while (u->bytes < room * per)
		u->bytes *= 2;
	char *mem = ty_meta_alloc(u->bytes);
	if (!mem)
		return false;
	u->stat = (struct ty_cache_stat *)(void *)mem;
	u->cache = (struct ty_cache **)(void *)(mem + room * sizeof *u->stat);
	u->n = totals.caches;
	for (struct ty_cache *c = ty_index_next(NULL); c; c = ty_index_next(c))
		if (c->nth < u->n)
			u->cache[c->nth] = c;
	for (size_t i = 0; i < u->n; i++)
		u->stat[i].allocations = TY_LOAD(&u->cache[i]->allocations);
	walk(visit_sums, u);
	ty_lock(&ty_threads_lock); /* tables of magazines stay while it is held */
	for (struct ty_tcache *tc = ty_tcache_next(NULL); tc; tc = ty_tcache_next(tc)) {
		if (!tc->in_use || !tc->table)
			continue;
		for (size_t i = 0; i < (size_t)1 << (64 - tc->shift); i++) {
			const struct ty_mag *m = &tc->table[i];
			const struct ty_stock *st = m->hot ? ty_stock_ptr(TY_LOAD(&m->own)) : NULL;
			struct ty_cache_stat *t = st ? sum_of(u, TY_LOAD(&st->cache)) : NULL;
			if (t)
				t->allocations += ty_stock_served(m);
		}
	}
	ty_unlock(&ty_threads_lock);
	return true;
}

static void sums_end(struct sums *u) { ty_meta_free(u->stat, u->bytes); }

static bool is_large(const struct ty_cache *c) { return c->cls & TY_CLASS_LARGE; }
static u32 source_of(const struct ty_cache *c) { return ty_class_source(c->cls); }
/* The call said what it makes, by a type's token or a cache of its own. */
static bool is_typed(const struct ty_cache *c)
{
	return source_of(c) == TY_SOURCE_TYPE || source_of(c) == TY_SOURCE_NAMED;
}
static size_t size_of(const struct ty_cache *c)
{
	return is_large(c) ? ty_large_bytes(c->cls) : c->size;
}

void ty_stats_totals(struct ty_totals *out)
{
	struct sums u;

	memset(out, 0, sizeof *out);
	if (!ty_heap_start() || !sums_make(&u))
		return;
	for (size_t i = 0; i < u.n; i++) {
		struct ty_cache *c = u.cache[i];
		struct ty_cache_stat *t = &u.stat[i];
		size_t bytes = t->live * size_of(c);
		out->live_objects += t->live;
		out->live_bytes += bytes;
		if (is_large(c)) {
			out->large_objects += t->live;
			out->large_bytes += bytes;
		}
		out->committed += t->committed;
		out->slabs += t->slabs;
		out->allocations += t->allocations;
		if (!is_typed(c))
			out->untyped += t->allocations;
	}
	out->free_bytes = out->committed > out->live_bytes ? out->committed - out->live_bytes : 0;
	out->metadata = ty_meta_bytes();
	sums_end(&u);
}

struct live {
	u32 source;
	u64 key;
	size_t n;
};

static void visit_live(void *arg, struct ty_slab *s)
{
	struct live *l = arg;
	struct ty_cache_stat t = {0};
	const struct ty_cache *c = ty_cache_ptr(s->cache);

	if (c->key != l->key || source_of(c) != l->source)
		return;
	if (s->nslots)
		add_slab(&t, s);
	else if (s->state >= TY_SPAN_LIVE)
		add_span(&t, (struct ty_span *)(void *)s);
	l->n += t.live;
}

size_t ty_stats_live(u64 key, u32 source)
{
	struct live l = {.key = key, .source = source};

	walk(visit_live, &l);
	return l.n;
}

/* "redis-server+0x4f2a0" or "0x9e37...". */
static void text_site(struct ty_text *t, uintptr_t site)
{
	if (!ty_text_object(t, site))
		ty_text_hex(t, site);
}

static void text_key(struct ty_text *t, const struct ty_cache *c)
{
	const struct ty_type *y = ty_meta_ptr(c->type);

	switch (source_of(c)) {
	case TY_SOURCE_SITE:
		for (u32 i = 0; i < y->nsites; i++) {
			ty_text_str(t, i ? "<" : "");
			text_site(t, y->site[i]);
		}
		if (y->nsites)
			return;
		__attribute__((fallthrough));
	case TY_SOURCE_TYPE:
		ty_text_hex(t, c->key);
		return;
	case TY_SOURCE_RANDOM:
		ty_text_dec(t, c->key);
		return;
	case TY_SOURCE_NAMED:
		ty_text_str(t, ty_named_by_key(c->key)->name);
		return;
	default:
		ty_text_str(t, "all");
	}
}

static const char *text_kind(const struct ty_cache *c)
{
	static const char *const names[5][3] = {
		{"site-var", "site-fixed", "site-large"},
		{"type-var", "type-fixed", "type-large"},
		{"random-var", "random-fixed", "random-large"},
		{"all-var", "all-fixed", "all-large"},
		{"cache-var", "cache-fixed", "cache-large"},
	};
	static const char *const sampled[] = {"site-guard", "type-guard", "random-guard", "all-guard", "cache-guard"};
	if (ty_class_sampled(c->cls))
		return sampled[source_of(c)];
	return names[source_of(c)][is_large(c) ? 2 : c->cls & TY_CLASS_FIXED ? 1 : 0];
}

/* Lines of /proc/self/maps that lie in our reservations. */
static size_t count_mappings(void)
{
	enum { BUF = 1 << 20 };
	char *buf = ty_meta_alloc(BUF);
	size_t count = 0;

	if (!buf)
		return 0;
	size_t n = ty_os_read_file("/proc/self/maps", buf, BUF - 1);
	buf[n] = 0;
	for (char *p = buf; *p;) {
		if (ty_region_owns((uintptr_t)ty_number(p, 16)))
			count++;
		while (*p && *p++ != '\n')
			;
	}
	ty_meta_free(buf, BUF);
	return count;
}

static void write_line(int fd, struct ty_text *t)
{
	t->buf[t->len++] = '\n';
	ty_os_write(fd, t->buf, t->len);
	t->len = 0;
}

static void row(int fd, const struct ty_cache *c, const struct ty_cache_stat *st)
{
	char buf[512], key[200];
	struct ty_text t = {buf, 0, sizeof buf - 1}, k = {key, 0, sizeof key - 1};

	text_key(&k, c);
	key[k.len] = 0;
	ty_text_col(&t, key, -40);
	ty_text_str(&t, " ");
	ty_text_col(&t, text_kind(c), -12);
	ty_text_dec_col(&t, size_of(c), 11);
	ty_text_dec_col(&t, st->live, 10);
	ty_text_dec_col(&t, c->peak > st->live ? c->peak : st->live, 10);
	ty_text_dec_col(&t, st->slabs, 8);
	ty_text_dec_col(&t, st->committed / 1024, 13);
	ty_text_dec_col(&t, st->allocations, 13);
	write_line(fd, &t);
}

void ty_stats_table(int fd)
{
	char buf[512];
	struct ty_text t = {buf, 0, sizeof buf - 1};
	struct ty_cache_stat sum = {0};
	struct ty_index_totals index;
	struct ty_site_totals sites;
	u64 untyped = 0, peak = 0;
	struct sums u;

	if (!ty_heap_start() || !sums_make(&u))
		return;
	ty_text_str(&t, "typed_malloc statistics: ");
	ty_text_who(&t);
	ty_text_str(&t, " ");
	ty_text_str(&t, "partition=");
	ty_text_str(&t, ty_policy_name(ty_conf.partition));
	ty_text_str(&t, " untyped=");
	ty_text_str(&t, ty_policy_name(ty_conf.untyped));
	write_line(fd, &t);
	ty_text_col(&t, "# key", -40);
	ty_text_str(&t, " ");
	ty_text_col(&t, "kind", -12);
	ty_text_col(&t, "size", 11);
	ty_text_col(&t, "live", 10);
	ty_text_col(&t, "peak", 10);
	ty_text_col(&t, "slabs", 8);
	ty_text_col(&t, "committedKiB", 13);
	ty_text_col(&t, "allocations", 13);
	write_line(fd, &t);
	for (size_t i = 0; i < u.n; i++) {
		struct ty_cache_stat *st = &u.stat[i];
		if (st->allocations)
			row(fd, u.cache[i], st);
		sum.live += st->live;
		sum.slabs += st->slabs;
		sum.committed += st->committed;
		sum.allocations += st->allocations;
		peak += u.cache[i]->peak > st->live ? u.cache[i]->peak : st->live;
		if (!is_typed(u.cache[i]))
			untyped += st->allocations;
	}
	ty_text_col(&t, "total", -64);
	ty_text_dec_col(&t, sum.live, 10);
	ty_text_dec_col(&t, peak, 10);
	ty_text_dec_col(&t, sum.slabs, 8);
	ty_text_dec_col(&t, sum.committed / 1024, 13);
	ty_text_dec_col(&t, sum.allocations, 13);
	write_line(fd, &t);
	ty_index_totals(&index);
	ty_text_str(&t, "keys ");
	ty_text_dec(&t, index.types);
	ty_text_str(&t, ", caches ");
	ty_text_dec(&t, index.caches);
	ty_text_str(&t, ", look-ups past max_keys ");
	ty_text_dec(&t, index.shared_keys);
	ty_text_str(&t, ", metadata ");
	ty_text_dec(&t, ty_meta_bytes() / 1024);
	ty_text_str(&t, " KiB");
	write_line(fd, &t);
	ty_site_totals(&sites);
	ty_text_str(&t, "call sites: wrappers ");
	ty_text_dec(&t, sites.wrappers);
	ty_text_str(&t, ", links ");
	ty_text_dec(&t, sites.links);
	ty_text_str(&t, ", no place ");
	ty_text_dec(&t, sites.crowded);
	ty_text_str(&t, ", frame not constant ");
	ty_text_dec(&t, sites.odd);
	write_line(fd, &t);
	ty_text_str(&t, "mappings ");
	ty_text_dec(&t, count_mappings());
	write_line(fd, &t);
	u64 tenths = sum.allocations ? (untyped * 1000 + sum.allocations / 2) / sum.allocations : 0;
	ty_text_str(&t, "untyped ");
	ty_text_dec(&t, tenths / 10);
	ty_text_str(&t, ".");
	ty_text_dec(&t, tenths % 10);
	ty_text_str(&t, " % of allocations");
	write_line(fd, &t);
	sums_end(&u);
}

static int stats_fd = 2;
static u64 stats_file; /* what stats_fd led to at start: a daemon may have closed it, and opened another under its number */

TY_START void ty_stats_init(void)
{
	if (!ty_conf.stats || ty_conf.stats_path[0])
		return;
	int fd = ty_os_dup_high(2);
	if (fd >= 0) {
		stats_fd = fd;
		stats_file = ty_os_file_id(fd);
	}
}

void ty_stats_at_exit(void)
{
	char path[320];
	struct ty_text t = {path, 0, sizeof path - 1};
	int fd = stats_fd != 2 && ty_os_file_id(stats_fd) == stats_file ? stats_fd : 2;

	if (TY_LOAD_ACQ(&ty_heap_state) != 2 || !ty_conf.stats)
		return;
	if (ty_conf.stats_path[0]) {
		for (const char *s = ty_conf.stats_path; *s; s++) {
			char one[2] = {*s, 0};
			if (s[0] == '%' && s[1] == 'p') {
				ty_text_dec(&t, (u64)ty_os_pid());
				s++;
			} else {
				ty_text_str(&t, one);
			}
		}
		path[t.len] = 0;
		fd = ty_os_open_append(path);
		if (fd < 0) {
			ty_warn("stats: cannot open ", path, "", "");
			return;
		}
	}
	ty_stats_table(fd);
	if (ty_conf.stats_path[0])
		ty_os_close_file(fd);
}

/* Late among destructors: what the program frees while it ends is freed. */
static TY_NOINLINE void last_look(void)
{
	ty_track_begin();
	ty_sweep("exit");
	ty_track_end();
}

TY_EVERY_START __attribute__((destructor(101))) static void stats_destructor(void)
{
	if (ty_conf.stats)
		ty_stats_at_exit();
	if (ty_conf.sweep)
		last_look();
}
