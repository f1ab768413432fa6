// operator new and delete in all standard forms, the new-handler loop, nothrow, and std::bad_alloc, which the library
// must throw without itself needing libstdc++.
#include "attack/attack.h"

#include <memory>
#include <new>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

static const size_t sizes[] = {0, 1, 8, 16, 17, 100, 1000, 5000, 16384, 16385, 100000, 3000000};
static const size_t too_large[] = {SIZE_MAX,	SIZE_MAX - 8,	SIZE_MAX - 4096, (size_t)PTRDIFF_MAX + 1,
				   PTRDIFF_MAX, (size_t)1 << 60};

static void from_our_library()
{
	static const char *const names[] = {"_Znwm",
					    "_Znam",
					    "_ZnwmRKSt9nothrow_t",
					    "_ZnamRKSt9nothrow_t",
					    "_ZnwmSt11align_val_t",
					    "_ZnamSt11align_val_t",
					    "_ZnwmSt11align_val_tRKSt9nothrow_t",
					    "_ZnamSt11align_val_tRKSt9nothrow_t",
					    "_ZdlPv",
					    "_ZdaPv",
					    "_ZdlPvm",
					    "_ZdaPvm",
					    "_ZdlPvRKSt9nothrow_t",
					    "_ZdaPvRKSt9nothrow_t",
					    "_ZdlPvSt11align_val_t",
					    "_ZdaPvSt11align_val_t",
					    "_ZdlPvmSt11align_val_t",
					    "_ZdaPvmSt11align_val_t",
					    "_ZdlPvSt11align_val_tRKSt9nothrow_t",
					    "_ZdaPvSt11align_val_tRKSt9nothrow_t"};
	for (const char *name : names) {
		Dl_info info;
		if (!dladdr(need_symbol(name), &info) || !strstr(info.dli_fname, "typed_malloc")) {
			say("%s is not ours", name);
			failures++;
		}
	}
}

template <class New, class Delete> static void pair(size_t n, size_t align, New make, Delete unmake)
{
	for (int i = 0; i < 3; i++) {
		char *p = (char *)hide(make(n));
		MUST(p);
		CHECK(!((uintptr_t)p & (align - 1)));
		CHECK(malloc_usable_size(p) >= n && all_zero(p, n));
		fill(p, n, n);
		CHECK(filled(p, n, n));
		errno = 4242;
		unmake(p, n);
		CHECK(errno == 4242);
	}
}

static void plain_forms()
{
	for (size_t n : sizes) {
		auto one = [](size_t m) { return ::operator new(m); };
		auto many = [](size_t m) { return ::operator new[](m); };
		pair(n, 16, one, [](void *p, size_t) { ::operator delete(p); });
		pair(n, 16, one, [](void *p, size_t m) { ::operator delete(p, m); });
		pair(n, 16, one, [](void *p, size_t) { ::operator delete(p, std::nothrow); });
		pair(n, 16, many, [](void *p, size_t) { ::operator delete[](p); });
		pair(n, 16, many, [](void *p, size_t m) { ::operator delete[](p, m); });
		pair(n, 16, many, [](void *p, size_t) { ::operator delete[](p, std::nothrow); });
		pair(
			n, 16, [](size_t m) { return ::operator new(m, std::nothrow); },
			[](void *p, size_t m) { ::operator delete(p, m); });
		pair(
			n, 16, [](size_t m) { return ::operator new[](m, std::nothrow); },
			[](void *p, size_t) { ::operator delete[](p); });
	}
	::operator delete(nullptr);
	::operator delete[](nullptr);
	::operator delete(nullptr, 100);
	::operator delete (nullptr, std::align_val_t{64});
	::operator delete[](nullptr, 100, std::align_val_t{64});
}

static void aligned_forms()
{
	for (size_t n : sizes)
		for (size_t align = 16; align <= 65536; align *= 4) {
			const std::align_val_t a{align};
			auto one = [a](size_t m) { return ::operator new(m, a); };
			auto many = [a](size_t m) { return ::operator new[](m, a); };
			pair(n, align, one, [a](void *p, size_t) { ::operator delete(p, a); });
			pair(n, align, one, [a](void *p, size_t m) { ::operator delete(p, m, a); });
			pair(n, align, one, [a](void *p, size_t) { ::operator delete(p, a, std::nothrow); });
			pair(n, align, many, [a](void *p, size_t) { ::operator delete[](p, a); });
			pair(n, align, many, [a](void *p, size_t m) { ::operator delete[](p, m, a); });
			pair(
				n, align, [a](size_t m) { return ::operator new(m, a, std::nothrow); },
				[a](void *p, size_t m) { ::operator delete(p, m, a); });
			pair(
				n, align, [a](size_t m) { return ::operator new[](m, a, std::nothrow); },
				[a](void *p, size_t) { ::operator delete[](p, a, std::nothrow); });
		}
}

template <class F> static bool throws(F f)
{
	try {
		hide(f());
	} catch (const std::bad_alloc &) {
		return true;
	}
	return false;
}

static void out_of_memory()
{
	static constexpr std::align_val_t a{256};
	for (size_t n : too_large) {
		n = hide_size(n);
		CHECK(throws([n] { return ::operator new(n); }));
		CHECK(throws([n] { return ::operator new[](n); }));
		CHECK(throws([n] { return ::operator new(n, a); }));
		CHECK(throws([n] { return ::operator new[](n, a); }));
		CHECK(!hide(::operator new(n, std::nothrow)));
		CHECK(!hide(::operator new[](n, std::nothrow)));
		CHECK(!hide(::operator new(n, a, std::nothrow)));
		CHECK(!hide(::operator new[](n, a, std::nothrow)));
	}
	std::thread([] {
		CHECK(throws([] { return ::operator new(hide_size(SIZE_MAX / 2)); }), " in a thread");
	}).join();
}

static int calls;
struct Mine {
};

static void three_times()
{
	if (++calls == 3)
		std::set_new_handler(nullptr);
}

static void handler()
{
	const size_t huge = hide_size((size_t)1 << 60);
	calls = 0;
	std::set_new_handler(three_times);
	CHECK(throws([huge] { return ::operator new(huge); }) && calls == 3);
	calls = 0;
	std::set_new_handler(three_times);
	CHECK(throws([huge] { return ::operator new[](huge, std::align_val_t{64}); }) && calls == 3);
	calls = 0;
	std::set_new_handler(three_times);
	CHECK(!hide(::operator new(huge, std::nothrow)) && calls == 3);
	calls = 0;
	std::set_new_handler(three_times);
	free(hide(malloc(100)));
	CHECK(!hide(malloc(huge)) && calls == 0, " (malloc calls no handler)");

	std::set_new_handler([] { throw Mine{}; });
	bool mine = false;
	try {
		hide(::operator new(huge));
	} catch (const Mine &) {
		mine = true;
	}
	CHECK(mine, " (a handler's own exception passes through)");
	std::set_new_handler(nullptr);
	::operator delete(hide(::operator new(100))); // and goes on
}

// In a child, as std::terminate would take the other tests along.
static void throwing_handler_nothrow()
{
	pid_t child = fork();
	if (!child) {
		std::set_terminate([] { _exit(5); });
		std::set_new_handler([] { throw std::bad_alloc{}; });
		if (hide(::operator new(hide_size((size_t)1 << 60), std::nothrow)))
			_exit(6);
		if (hide(::operator new[](hide_size((size_t)1 << 60), std::align_val_t{64}, std::nothrow)))
			_exit(6);
		_exit(0);
	}
	int status;
	MUST(waitpid(child, &status, 0) == child);
	CHECK(status == 0, " (nothrow turns a handler's exception into NULL)");
}

struct alignas(512) Wide {
	char text[700];
};

struct Virtual {
	virtual ~Virtual() = default;
	int a[3];
};
struct Larger : Virtual {
	~Larger() override { delete[] more; }
	char *more = new char[500];
	int b[300];
};

/* A handler that makes room: the object is what was asked for, an array, and of the form that delete wants (option mismatch). */
static void room_made()
{
	struct rlimit r;
	getrlimit(RLIMIT_DATA, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_DATA, &r);
	std::set_new_handler(nullptr);
}

static void handler_makes_room()
{
	struct Page {
		char x[100000];
	};
	struct alignas(64) Line {
		char x[100032];
	};
	struct rlimit all, little;
	getrlimit(RLIMIT_DATA, &all);
	little = all;
	little.rlim_cur = 1 << 20;
	size_t n = hide_size(1000); // such objects are given back whole
	for (int k = 0; k < 4; k++) {
		std::set_new_handler(room_made);
		setrlimit(RLIMIT_DATA, &little);
		if (k < 2) {
			Page *p = static_cast<Page *>(hide(k ? new (std::nothrow) Page[n] : new Page[n]));
			CHECK(p && !std::get_new_handler() && p[n - 1].x[99999] == 0);
			delete[] p;
		} else {
			Line *p = static_cast<Line *>(hide(k == 2 ? new (std::nothrow) Line[n] : new Line[n]));
			CHECK(p && !std::get_new_handler() && (uintptr_t)p % 64 == 0);
			delete[] p;
		}
	}
	setrlimit(RLIMIT_DATA, &all);
	std::set_new_handler(nullptr);
}

static void real_use()
{
	for (int round = 0; round < 200; round++) {
		std::vector<std::unique_ptr<Virtual>> all;
		std::vector<std::shared_ptr<std::string>> texts;
		for (int i = 0; i < 100; i++) {
			all.push_back(i % 2 ? std::make_unique<Virtual>() : std::unique_ptr<Virtual>(new Larger));
			texts.push_back(std::make_shared<std::string>((size_t)i * 10, 'x'));
		}
		auto wide = std::make_unique<Wide[]>(3);
		CHECK(!((uintptr_t)hide(wide.get()) & 511));
	}
	CHECK(throws([] { return new char[hide_size(SIZE_MAX / 2)]; }));
	bool length = false;
	try {
		hide(new Larger[hide_size(SIZE_MAX / 8)]);
	} catch (const std::bad_alloc &) { // bad_array_new_length is one
		length = true;
	}
	CHECK(length);
}

// Objects that end with the thread, after ours may have cleaned up.
struct AtThreadExit {
	std::vector<std::string> v;
	~AtThreadExit()
	{
		for (int i = 0; i < 100; i++)
			v.push_back(std::string(200 + (size_t)i, 'e'));
	}
};
static thread_local AtThreadExit at_exit;

static void thread_exit()
{
	for (int i = 0; i < 200; i++)
		std::thread([] { at_exit.v.push_back(std::string(300, 'a')); }).join();
}

int main()
{
	need_library();
	watchdog(120);
	from_our_library();
	plain_forms();
	aligned_forms();
	out_of_memory();
	handler();
	throwing_handler_nothrow();
	handler_makes_room();
	real_use();
	thread_exit();
	at_exit.v.push_back(std::string(300, 'm'));
	return test_result("conform_new");
}
