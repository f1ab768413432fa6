/* A fuzzer of operation sequences with an attacker's moves mixed in, checked against a model: model.h, makers.h
 * and objects.h have the objects and what must be true of them, moves.h and crimes.h the crimes.
 *
 * Threads work in rounds of ROUND operations each, at the same time. Between rounds the objects that they hand to each other
 * change hands, so that what each operation does follows from the seed, the thread and the operation's number alone, however
 * the threads run. (The addresses do not: the library draws those from the kernel.) After EPOCH rounds the threads end and others
 * go on with their objects.
 *
 * A crime is committed by a forked child, and the parent, which goes on, compares its end with what the move said before it:
 * the signal, the sentence and the address on its standard error, the place of a fault. Anything else is a missed crime; any
 * end without a crime a false alarm. Some children commit none: they go on for a while, give everything back, and must live.
 *
 * usage: attacker [--seed N] [--threads N] [--ops N] [--from N] [--crime NAME] [--every N]      one run, with this sequence
 *        attacker --seconds N [--seed N] ...    runs with growing seeds, in turn with each of the options below
 *
 * --from leaves out the operations before, --crime all other crimes; --every: operations to a crime. A run that fails is
 * repeated with fewer operations, from the end and from the beginning, as long as it fails. */
#include "crimes.h"

#include <sys/prctl.h>
#include <sys/resource.h>

enum { ROUND = 64, EPOCH = 8 };

static const struct {
	const char *name;
	void (*move)(struct actor *);
	unsigned weight;
} moves[] = {
	{"innocent", NULL, 6},
	{"overflow", move_overflow, 10},
	{"replay", move_replay, 3},
	{"into_free", move_into_free, 4},
	{"underflow", move_underflow, 4},
	{"overflow_large", move_overflow_large, 5},
	{"past_large", move_past_large, 3},
	{"underflow_large", move_underflow_large, 4},
	{"zero_size", move_zero_size, 2},
	{"write_after_free", move_write_after_free, 9},
	{"write_after_free_large", move_write_after_free_large, 5},
	{"read_after_free", move_read_after_free, 5},
	{"double_free", move_double_free, 10},
	{"race", move_race, 7},
	{"interior", move_interior, 5},
	{"foreign", move_foreign, 4},
	{"wild", move_wild, 8},
	{"wrong_size", move_wrong_size, 5},
	{"wrong_alignment", move_wrong_alignment, 3},
	{"wrong_cache", move_wrong_cache, 2},
	{"wrong_type", move_wrong_type, 2},
	{"bad_handle", move_bad_handle, 2},
	{"write_before_trim", move_write_before_trim, 5},
	{"race_large", move_race_large, 3},
	{"wrong_form", move_wrong_form, 3},
};
enum { MOVES = sizeof moves / sizeof *moves };

/* What the driver and its runs share. */
static struct {
	typeof(*failure) failure;
	atomic_ulong operations, objects;
	atomic_ulong ends[MOVES][ENDS];
	struct verdict verdicts[MAX_THREADS];
} *shared;

static struct run told;
static long from_op, every, only = -1;
static const char *argument_of(int argc, char **argv, const char *name)
{
	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], name))
			return argv[i + 1];
	return NULL;
}

/* ---- the end of a child ---- */

static void on_segv(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	/* Once: the access is made again, and ends the child. */
	in_child->fault = (uintptr_t)info->si_addr;
}

/* Does the line say this sentence (where * is a number) of the address? */
static bool says(const char *line, const char *sentence, uintptr_t named)
{
	const char *at = strstr(line, "(): ");
	if (!at)
		return false;
	at += 4;
	for (; *sentence; sentence++) {
		if (*sentence == '*') {
			if (*at < '0' || *at > '9')
				return false;
			while (*at >= '0' && *at <= '9')
				at++;
		} else if (*at++ != *sentence) {
			return false;
		}
	}
	return *at++ == ' ' && (!named || strtoul(at, NULL, 16) == named);
}

static enum end end_of(int status, const struct verdict *v, const char *line, pid_t pid)
{
	if (WIFEXITED(status)) {
		int e = WEXITSTATUS(status);
		return *line ? MISSED : e == EXIT_CONTAINED ? CONTAINED : e == EXIT_INNOCENT ? INNOCENT : e == EXIT_NOTHING ? NOTHING : MISSED;
	}
	if (WTERMSIG(status) == SIGSEGV && !*line)
		return v->touching && v->fault >= v->from && v->fault < v->to ? FAULT : MISSED;
	char prefix[40];
	snprintf(prefix, sizeof prefix, "[%d] ", (int)pid);
	if (WTERMSIG(status) != SIGABRT || !strstr(line, prefix))
		return MISSED;
	/* The sentence comes first; of a sampled object more is told behind it. */
	for (const char *l = line; *l; l = strchr(l, '\n') ? strchr(l, '\n') + 1 : "")
		if (strncmp(l, "typed_malloc: ", 14))
			return MISSED;
	for (int i = 0; i < SENTENCES; i++)
		if (says(line, sentences[i], v->allow & ONE(i) ? v->named : 0))
			return (enum end)i;
	return MISSED;
}

static void child(struct actor *a, unsigned m)
{
	static char stack[32768];
	stack_t s = {.ss_sp = stack, .ss_size = sizeof stack};
	struct sigaction act = {.sa_sigaction = on_segv, .sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND)};
	in_child = a->verdict;
	sigaltstack(&s, NULL);
	sigaction(SIGSEGV, &act, NULL);
	alarm(60);
	if (moves[m].move)
		moves[m].move(a);
	steps(a, 40);
	free_all(a);
	malloc_trim(0);
	_exit(EXIT_INNOCENT);
}

static void commit(struct actor *a, unsigned m)
{
	struct verdict *v = a->verdict;
	char line[8192];
	int out[2], status;
	memset(v, 0, sizeof *v);
	v->allow = moves[m].move ? 0 : ONE(INNOCENT);
	MUST(!pipe2(out, O_NONBLOCK | O_CLOEXEC));
	pid_t pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		dup2(out[1], 2);
		child(a, m);
	}
	while (waitpid(pid, &status, 0) < 0)
		MUST(errno == EINTR);
	ssize_t n = read(out[0], line, sizeof line - 1);
	line[n > 0 ? n : 0] = 0;
	close(out[0]);
	close(out[1]);
	enum end end = end_of(status, v, line, pid);
	atomic_fetch_add(&shared->ends[m][end], 1);
	if (end == NOTHING || v->allow & ONE(end))
		return;
	bad("%s: %s %d, allowed 0x%x of 0x%lx, fault at 0x%lx%s, note \"%.120s\", said \"%.150s\"", moves[m].name,
	    WIFEXITED(status) ? "exit" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), v->allow,
	    (unsigned long)v->named, (unsigned long)v->fault, v->touching ? " (touching)" : "", v->note, line);
}

/* ---- the sequence ---- */

static unsigned some_move(struct actor *a)
{
	unsigned all = 0, i;
	for (i = 0; i < MOVES; i++)
		all += moves[i].weight;
	unsigned r = (unsigned)below(a, all);
	for (i = 0; r >= moves[i].weight; i++)
		r -= moves[i].weight;
	return i;
}

static bool to_another(struct actor *a, struct object *o)
{
	size_t to = below(a, (size_t)told.threads);
	if (in_child || to == a->id || a->nout[to] == OWN / 4)
		return true;
	a->out[to * OWN + a->nout[to]++] = *o;
	a->bytes -= o->n;
	o->p = NULL;
	return true;
}

/* Operation number op of the actor. Nothing of what it draws depends on others. */
static void operation(struct actor *a, uint64_t op)
{
	a->op = op;
	a->rng = told.seed * 0x9e3779b97f4a7c15u + op * MAX_THREADS + a->id;
	a->rng = draw(a);
	bool crime = one_in(a, (unsigned)every);
	unsigned m = some_move(a);
	if ((long)op < from_op)
		return;
	if (crime && (only < 0 || only == (long)m))
		commit(a, m);
	else if (!crime)
		step(a);
}

static pthread_barrier_t round_end;
static long epoch;

static void *work(void *arg)
{
	struct actor *a = arg;
	self = a;
	for (int r = 0; r < EPOCH; r++) {
		for (uint64_t i = 0; i < ROUND; i++) {
			uint64_t op = ((uint64_t)epoch * EPOCH + (uint64_t)r) * ROUND + i;
			if ((long)op < told.ops)
				operation(a, op);
		}
		pthread_barrier_wait(&round_end);
		/* What others have for this one, in their order. */
		for (long t = 0; t < told.threads; t++) {
			struct actor *b = actors[t];
			for (unsigned i = 0; i < b->nout[a->id]; i++) {
				struct object o = b->out[a->id * OWN + i];
				struct object *at = NULL;
				for (int k = 0; k < OWN && !at; k++)
					at = a->own[k].p ? NULL : &a->own[k];
				a->bytes += o.n;
				if (at)
					*at = o;
				else
					free_some(a, &o);
			}
			b->nout[a->id] = 0;
		}
		pthread_barrier_wait(&round_end);
	}
	return NULL;
}

static int run(void)
{
	struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	failure = &shared->failure;
	hand_over = to_another;
	set_up_model(told.seed);
	for (long t = 0; t < told.threads; t++)
		new_actor((unsigned)t, &shared->verdicts[t]);
	pthread_barrier_init(&round_end, NULL, (unsigned)told.threads);
	for (epoch = 0; epoch * EPOCH * ROUND < told.ops; epoch++) {
		pthread_t t[MAX_THREADS];
		for (long i = 1; i < told.threads; i++)
			MUST(!pthread_create(&t[i], NULL, work, actors[i]));
		work(actors[0]);
		for (long i = 1; i < told.threads; i++)
			MUST(!pthread_join(t[i], NULL));
	}
	for (long i = 0; i < told.threads; i++) {
		self = actors[i];
		free_all(actors[i]);
	}
	malloc_trim(0);
	atomic_fetch_add(&shared->operations, (unsigned long)(told.ops * told.threads));
	atomic_fetch_add(&shared->objects, atomic_load(&shadow_objects));
	return 0;
}

/* ---- the driver ---- */

/* A run in a process of its own. True: it has passed. */
static bool try(const char *options, uint64_t seed, long threads, long from, long ops, const char *crime, bool quiet)
{
	char s[6][24];
	int status;
	snprintf(s[0], sizeof s[0], "%lu", (unsigned long)seed);
	snprintf(s[1], sizeof s[1], "%ld", threads);
	snprintf(s[2], sizeof s[2], "%ld", from);
	snprintf(s[3], sizeof s[3], "%ld", ops);
	snprintf(s[4], sizeof s[4], "%ld", every);
	shared->failure.failed = false;
	pid_t pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		setenv("TYPED_MALLOC_OPTIONS", options, 1);
		if (quiet)
			dup2(open("/dev/null", O_WRONLY), 2);
		execl("/proc/self/exe", "attacker", "--run", "--seed", s[0], "--threads", s[1], "--from", s[2], "--ops", s[3],
		      "--every", s[4], "--crime", crime ? crime : "any", (char *)NULL);
		_exit(EXIT_BAD);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	if (WIFSIGNALED(status) && !quiet)
		say("the run was ended by signal %d", WTERMSIG(status));
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* Addresses differ from run to run: a sequence is good only if it passes several times. */
static bool passes(const char *options, uint64_t seed, long threads, long from, long ops, const char *crime)
{
	for (int i = 0; i < 3; i++)
		if (!try(options, seed, threads, from, ops, crime, true))
			return false;
	return true;
}

static void minimise(const char *options, uint64_t seed, const char *crime)
{
	long ops = told.ops, from = from_op, threads = told.threads, end = now_ms() + 60000;
	if (shared->failure.failed)
		ops = (long)shared->failure.op + 1;
	if (passes(options, seed, threads, from, ops, crime)) {
		say("it does not fail again: try --seed %lu --threads %ld --ops %ld several times", (unsigned long)seed, threads, ops);
		return;
	}
	while (threads > 1 && now_ms() < end && !passes(options, seed, threads - 1, from, ops, crime))
		threads--;
	for (long low = from, high = ops; high - low > 1 && now_ms() < end;) { /* fails to high, passes to low */
		long mid = low + (high - low) / 2;
		if (passes(options, seed, threads, from, mid, crime))
			low = mid;
		else
			high = ops = mid;
	}
	for (long low = from, high = ops; high - low > 1 && now_ms() < end;) { /* fails from low */
		long mid = low + (high - low) / 2;
		if (passes(options, seed, threads, mid, ops, crime))
			high = mid;
		else
			low = from = mid;
	}
	say("the least that fails: TYPED_MALLOC_OPTIONS=%s attacker --seed %lu --threads %ld --from %ld --ops %ld --every %ld%s%s", options,
	    (unsigned long)seed, threads, from, ops, every, crime ? " --crime " : "", crime ? crime : "");
	try(options, seed, threads, from, ops, crime, false);
}

static void table(void)
{
	static const char *const names[ENDS] = {"overflow", "underflow", "written", "double", "used", "interior", "unallocated", "foreign",
						"size", "alignment", "cache", "type", "handle", "buckets", "form", "form", "fault", "contained", "innocent",
						"nothing", "MISSED"};
	unsigned long crimes = 0;
	for (int m = 0; m < MOVES; m++) {
		char line[400];
		int n = snprintf(line, sizeof line, "%-23s", moves[m].name);
		for (int e = 0; e < ENDS; e++) {
			unsigned long times = atomic_load(&shared->ends[m][e]);
			if (times)
				n += snprintf(line + n, sizeof line - (size_t)n, " %s %lu", names[e], times);
			crimes += e < INNOCENT ? times : 0;
		}
		say("%s", line);
	}
	say("%lu operations, %lu objects, %lu crimes", (unsigned long)atomic_load(&shared->operations),
	    (unsigned long)atomic_load(&shared->objects), crimes);
}

static int drive(int argc, char **argv)
{
	static const char *const all[] = {"", "site_levels=1", "untyped=random", "guard=slab", "decay_ms=0", "partition=random",
					  "sweep=1", "quarantine=64", "never_reuse=1", "sample=16", "mismatch=1",
					  "quarantine=16:sweep=1:guard=slab", "sample=4:mismatch=1:decay_ms=0"};
	enum { ALL = sizeof all / sizeof *all };
	const char *own = getenv("TYPED_MALLOC_OPTIONS"), *crime = argument_of(argc, argv, "--crime");
	bool set = option_given(argc, argv, "--threads");
	for (uint64_t i = 0; i == 0 || (told.seconds && !run_is_over(&told)); i++) {
		const char *options = own && *own ? own : told.seconds ? all[i % ALL] : "";
		long threads = told.seconds && !set ? 1 + (long)(i * 5 % 7) % 4 : told.threads;
		told.threads = threads;
		if (try(options, told.seed + i, threads, from_op, told.ops, crime, false))
			continue;
		say("failed: TYPED_MALLOC_OPTIONS=%s attacker --seed %lu --threads %ld --from %ld --ops %ld --every %ld", options,
		    (unsigned long)(told.seed + i), threads, from_op, told.ops, every);
		table();
		if (!option_given(argc, argv, "--once"))
			minimise(options, told.seed + i, crime);
		return 1;
	}
	table();
	say("attacker: passed");
	return 0;
}

int main(int argc, char **argv)
{
	need_library();
	bool alone = option_given(argc, argv, "--run");
	told = run_options(argc, argv, 3, argc > 1 ? 8192 : 4096);
	from_op = option_number(argc, argv, "--from", 0);
	every = option_number(argc, argv, "--every", 40);
	MUST(told.threads >= 1 && told.threads <= MAX_THREADS && every > 0);
	const char *crime = argument_of(argc, argv, "--crime");
	for (int i = 0; crime && strcmp(crime, "any") && i < MOVES; i++)
		if (!strcmp(crime, moves[i].name))
			only = i;
	MUST(!crime || !strcmp(crime, "any") || only >= 0);
	enum { SHARED = 200 };
	if (!alone) {
		int fd = memfd_create("attacker", 0);
		MUST(fd >= 0 && !ftruncate(fd, sizeof *shared) && dup2(fd, SHARED) == SHARED);
		close(fd);
	}
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, SHARED, 0);
	MUST(shared != MAP_FAILED);
	if (alone) {
		watchdog((unsigned)(300 + told.ops / 20));
		return run();
	}
	watchdog(0);
	return drive(argc, argv);
}
