// operator new as clang calls it under -fsanitize=alloc-token: all sixteen forms and those that return a size. Without exceptions,
// what throws ends the process.
#include "attack/attack.h"

#include "typed_malloc.h"

#include <new>

// LLVM's and tcmalloc's: a hint from a profile, and new that says how much it gave. Nobody but the compiler defines them.
enum class __hot_cold_t : uint8_t {};
void *operator new(size_t, __hot_cold_t);
void *operator new[](size_t, __hot_cold_t);
void *operator new(size_t, const std::nothrow_t &, __hot_cold_t) noexcept;
void *operator new[](size_t, const std::nothrow_t &, __hot_cold_t) noexcept;
void *operator new(size_t, std::align_val_t, __hot_cold_t);
void *operator new[](size_t, std::align_val_t, __hot_cold_t);
void *operator new(size_t, std::align_val_t, const std::nothrow_t &, __hot_cold_t) noexcept;
void *operator new[](size_t, std::align_val_t, const std::nothrow_t &, __hot_cold_t) noexcept;
struct sized {
	void *p;
	size_t n;
};
extern "C" {
sized __size_returning_new(size_t);
sized __size_returning_new_aligned(size_t, std::align_val_t);
sized __size_returning_new_hot_cold(size_t, __hot_cold_t);
sized __size_returning_new_aligned_hot_cold(size_t, std::align_val_t, __hot_cold_t);
}

struct data {
	int a[12];
};
struct node {
	node *next;
	int a[10];
	virtual ~node() {}
};
struct alignas(128) wide {
	int a[40];
};

static const __hot_cold_t cold{1};
static const std::align_val_t at64{64};

#define TOKEN(T) __builtin_infer_alloc_token(sizeof(T))

static size_t token_of(const void *p)
{
	struct typed_type t;
	MUST(!typed_malloc_type_of(p, &t));
	return t.token;
}

#define GOOD(T, align, ...) good(__VA_ARGS__, TOKEN(T), align, #__VA_ARGS__, __LINE__)
static void good(void *p, size_t token, size_t align, const char *what, int line)
{
	MUST(p);
	if (token_of(hide(p)) != token) {
		say("line %d: %s: token 0x%zx, not 0x%zx", line, what, token_of(p), token);
		failures++;
	}
	CHECK(!((uintptr_t)p & (align - 1)));
	size_t n = malloc_usable_size(p);
	fill(p, n, n);
	CHECK(filled(p, n, n));
	free(p); /* one heap */
}

static void forms()
{
	size_t k = hide_size(3);
	GOOD(data, 16, new data);
	GOOD(node, 16, new node);
	GOOD(data, 16, new data[k]);
	GOOD(data, 16, new (std::nothrow) data);
	GOOD(data, 16, new (std::nothrow) data[k]);
	GOOD(wide, 128, new wide);
	GOOD(wide, 128, new wide[k]);
	GOOD(wide, 128, new (std::nothrow) wide);
	GOOD(wide, 128, new (std::nothrow) wide[k]);
	GOOD(data, 16, new (cold) data);
	GOOD(data, 16, new (cold) data[k]);
	GOOD(data, 16, new (std::nothrow, cold) data);
	GOOD(data, 16, new (std::nothrow, cold) data[k]);
	GOOD(data, 64, new (at64, cold) data);
	GOOD(data, 64, new (at64, cold) data[k]);
	GOOD(data, 64, new (at64, std::nothrow, cold) data);
	GOOD(data, 64, new (at64, std::nothrow, cold) data[k]);
	GOOD(data, 16, ::operator new(k * sizeof(data)));
	GOOD(data, 16, new data[k * 100000]); /* large */
	sized s[] = {__size_returning_new(sizeof(data) * k), __size_returning_new_hot_cold(sizeof(data) * k, cold),
		     __size_returning_new_aligned(sizeof(data) * k, at64),
		     __size_returning_new_aligned_hot_cold(sizeof(data) * k, at64, cold)};
	for (sized &one : s) {
		CHECK(one.n >= sizeof(data) * k && one.n == malloc_usable_size(hide(one.p)));
		const size_t token = token_of(one.p); // clang 22 passes 0
		good(one.p, token ? TOKEN(data) : 0, &one - s < 2 ? 16 : 64, "size-returning new", __LINE__);
	}
	node *a = (node *)hide(new node), *b = (node *)hide(new node[k]);
	delete a;
	delete[] b;
	wide *w = (wide *)hide(new wide);
	delete w;
}

// A size that no form can have, and a handler that gives up when it is called for the second time.
static size_t too_large() { return hide_size((size_t)PTRDIFF_MAX); }
static int handled;
static void handler()
{
	if (++handled == 2)
		std::set_new_handler(nullptr);
}

template <class F> static void returns_null(F f)
{
	CHECK(!hide(f()));
	handled = 0;
	std::set_new_handler(handler);
	CHECK(!hide(f()) && handled == 2);
}

static void nothrow_forms()
{
	returns_null([] { return ::operator new(too_large(), std::nothrow); });
	returns_null([] { return ::operator new[](too_large(), std::nothrow); });
	returns_null([] { return ::operator new(too_large(), at64, std::nothrow); });
	returns_null([] { return ::operator new[](too_large(), at64, std::nothrow); });
	returns_null([] { return ::operator new(too_large(), std::nothrow, cold); });
	returns_null([] { return ::operator new[](too_large(), std::nothrow, cold); });
	returns_null([] { return ::operator new(too_large(), at64, std::nothrow, cold); });
	returns_null([] { return ::operator new[](too_large(), at64, std::nothrow, cold); });
	returns_null([] { return (void *)new (std::nothrow) data[too_large() / sizeof(data)]; });
}

#ifdef __cpp_exceptions
template <class F> static void throws(F f, int line)
{
	int caught = 0;
	handled = 0;
	std::set_new_handler(nullptr);
	try {
		hide(f());
	} catch (const std::bad_alloc &e) {
		caught = e.what() != nullptr;
	}
	std::set_new_handler(handler);
	try {
		hide(f());
	} catch (const std::bad_alloc &) {
		caught++;
	}
	if (caught != 2 || handled != 2) {
		say("line %d: caught %d, handled %d", line, caught, handled);
		failures++;
	}
	// A handler that throws.
	std::set_new_handler([] { throw std::bad_alloc(); });
	try {
		hide(f());
		caught = 0;
	} catch (const std::bad_alloc &) {
	}
	CHECK(caught);
	std::set_new_handler(nullptr);
}
#define THROWS(...) throws([] { return (void *)(__VA_ARGS__); }, __LINE__)

static void throwing_forms()
{
	THROWS(::operator new(too_large()));
	THROWS(::operator new[](too_large()));
	THROWS(::operator new(too_large(), at64));
	THROWS(::operator new[](too_large(), at64));
	THROWS(::operator new(too_large(), cold));
	THROWS(::operator new[](too_large(), cold));
	THROWS(::operator new(too_large(), at64, cold));
	THROWS(::operator new[](too_large(), at64, cold));
	THROWS(__size_returning_new(too_large()).p);
	THROWS(__size_returning_new_hot_cold(too_large(), cold).p);
	THROWS(__size_returning_new_aligned(too_large(), at64).p);
	THROWS(__size_returning_new_aligned_hot_cold(too_large(), at64, cold).p);
	THROWS(new data[too_large() / sizeof(data)]);
	// nothrow swallows what a handler throws.
	std::set_new_handler([] { throw std::bad_alloc(); });
	CHECK(!hide(::operator new(too_large(), std::nothrow)));
	CHECK(!hide(::operator new(too_large(), at64, std::nothrow, cold)));
	std::set_new_handler(nullptr);
}
#else
// Nobody catches: the process ends.
static void throwing_forms()
{
	pid_t child = fork();
	MUST(child >= 0);
	if (!child) {
		MUST(freopen("/dev/null", "w", stderr));
		hide(::operator new(too_large()));
		_exit(0);
	}
	int status;
	MUST(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
#endif

int main()
{
	need_library();
	watchdog(60);
	forms();
	nothrow_forms();
	throwing_forms();
	return test_result("tokens_runtime (C++)");
}
