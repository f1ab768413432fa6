// A plug-in in C++ for a program that is not: conform_dlopen_cxx loads it with RTLD_LOCAL, so libstdc++ is in the
// process but in no global scope when operator new has to throw.
#include <cstddef>
#include <new>

extern "C" int catches_bad_alloc(std::size_t n)
{
	try {
		::operator delete(::operator new(n));
	} catch (const std::bad_alloc &) {
		return 1;
	}
	return 0;
}

static int calls;

extern "C" int calls_handler(std::size_t n)
{
	std::set_new_handler([] {
		if (++calls == 2)
			std::set_new_handler(nullptr);
	});
	calls = 0;
	return catches_bad_alloc(n) ? calls : -1;
}
