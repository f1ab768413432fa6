/* os_linux.h: what the files of os.h on Linux share. */
#ifndef TY_OS_LINUX_H
#define TY_OS_LINUX_H

#include <errno.h>

/* errno belongs to the program. */
#define KEEP_ERRNO(expr)                                                                                     \
	({                                                                                                   \
		int saved_ = errno;                                                                          \
		__typeof__(expr) r_ = (expr);                                                                \
		errno = saved_;                                                                              \
		r_;                                                                                          \
	})

#endif
