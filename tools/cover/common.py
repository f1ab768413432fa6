"""What the parts of typed-cover share: the names of allocators and of tokens."""
import re

VERSION = '0.1.0'
TOKEN_FLAGS = ['-fsanitize=alloc-token', '-fsanitize-alloc-token-extended']
PREFIX = '__alloc_token_'
# void, const void, volatile void, const volatile void: clang inferred a type that says nothing.
VOID_TOKENS = {0x4a2f84459ea703e6, 0x1a176e88f4090641, 0x74a6ab69aa930417, 0x097f97ff85edd191}

# C's allocators, and which arguments make the size.
ALLOCATORS = {'malloc': (0,), 'calloc': (0, 1), 'realloc': (1,), 'reallocarray': (1, 2), 'reallocf': (1,), 'aligned_alloc': (1,),
              'memalign': (1,), 'valloc': (0,), 'pvalloc': (0,), 'posix_memalign': (2,)}
REALLOCS = {'realloc', 'reallocarray', 'reallocf'}
# More functions of libc for which the library has an __alloc_token_ form.
LIBRARY = {'canonicalize_file_name', 'fmemopen', 'open_memstream', 'open_wmemstream', 'tempnam', 'wcsdup', 'strdup', 'strndup'}
# The functions beneath the macros of typed_malloc.h: the last argument is the token. An explicit cache needs none.
HEADER_CALL = re.compile(r'typed_(malloc|calloc|realloc|reallocarray|aligned_alloc|memalign|posix_memalign|strdup|strndup'
                         r'|malloc_flex)_token(?:_fixed)?|typed_wrap_enter')
HEADER_CACHE = re.compile(r'typed_(cache|buckets)_z?alloc\w*')
# These keep no copy of a pointer they get.
HARMLESS = {'free', 'memset', 'memcpy', 'memmove', 'memcmp', 'memchr', 'strlen', 'strcpy', 'strncpy', 'strcat', 'strcmp', 'bzero',
            'malloc_usable_size', 'snprintf', 'vsnprintf', 'sprintf', 'vsprintf', 'read', 'fread', 'printf', 'fprintf'}
GENERIC = {'char', 'signed char', 'unsigned char'}  # beside void


class Failure(Exception):
    """A one-line message for the user."""
